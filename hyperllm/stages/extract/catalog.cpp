#include "hyperllm/stages/extract/catalog.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <optional>
#include <string_view>
#include <utility>

#include "hyperllm/stages/extract/key_phrases.h"
#include "hyperllm/stages/extract/summaries.h"
#include "hyperllm/stages/extract/tag_builder.h"
#include "hyperllm/text/tokenizer.h"

namespace hyperllm::stages::extract {
namespace {

using Items = std::vector<data::ItemText>;
using Paths = std::vector<std::vector<std::string>>;

constexpr int kLevels = 3;

std::string field(const data::ItemText& item, std::initializer_list<std::string_view> names) {
  for (const auto& [name, text] : item.other)
    if (std::find(names.begin(), names.end(), name) != names.end()) return text;
  return "";
}

// How many first elements all paths share, leaving each path one element at least.
std::size_t common_root(const std::vector<Paths>& paths) {
  const std::vector<std::string>* first = nullptr;
  std::size_t shared = 0;
  for (const Paths& mine : paths) {
    for (const auto& path : mine) {
      if (!first) {
        first = &path;
        shared = path.size();
      }
      shared = std::min(shared, path.size() - 1);
      for (std::size_t i = 0; i < shared; ++i)
        if (path[i] != (*first)[i]) shared = i;
    }
  }
  return shared;
}

// Category paths and genres as paths of at most three levels' depth; element i is of level min(i + 1, 3).
std::vector<Paths> level_paths(const Items& items, bool fold) {
  std::vector<Paths> all;
  for (const data::ItemText& item : items) {
    Paths& mine = all.emplace_back();
    for (const auto& path : item.categories) {
      auto& words = mine.emplace_back();
      for (const std::string& node : path)
        if (!text::normal_form(node).empty()) words.push_back(node);
      if (words.empty()) mine.pop_back();
    }
  }
  const std::size_t root = common_root(all);
  for (Paths& mine : all) {
    for (auto& path : mine) {
      path.erase(path.begin(), path.begin() + static_cast<std::ptrdiff_t>(root));
      if (!fold && path.size() > kLevels) path.resize(kLevels);
    }
  }
  for (std::size_t i = 0; i < items.size(); ++i) {
    const std::string genres = field(items[i], {"genres", "genre"});
    for (std::size_t at = 0; at <= genres.size();) {
      const std::size_t end = std::min(genres.find_first_of(",|;", at), genres.size());
      const std::string genre = genres.substr(at, end - at);
      if (const std::string form = text::normal_form(genre); !form.empty() && form != "no genres listed")
        all[i].push_back({genre});
      at = end + 1;
    }
  }
  return all;
}

void add_paths(const std::vector<Paths>& paths, TagBuilder& tags) {
  for (const Paths& mine : paths)
    for (const auto& path : mine)
      for (std::size_t depth = 0; depth < path.size(); ++depth)
        tags.declare(path[depth], std::min(static_cast<int>(depth) + 1, kLevels));
  for (std::size_t item = 0; item < paths.size(); ++item) {
    for (const auto& path : paths[item]) {
      std::vector<std::int32_t> above;
      for (const std::string& node : path) {
        const std::int32_t tag = tags.find(node);
        tags.attach(tag, static_cast<std::int32_t>(item));
        const auto parent = std::find_if(above.rbegin(), above.rend(),
                                         [&](std::int32_t a) { return tags.level(a) < tags.level(tag); });
        if (parent != above.rend()) tags.connect(*parent, tag);
        above.push_back(tag);
      }
    }
  }
}

// A year between 1000 and 2999 at the start of `text`.
std::optional<int> leading_year(std::string_view text) {
  int year = 0;
  const char* begin = text.data();
  const auto [end, error] = std::from_chars(begin, begin + std::min<std::size_t>(text.size(), 4), year);
  if (error != std::errc{} || end - begin != 4 || year < 1000 || year > 2999) return std::nullopt;
  return year;
}

std::optional<int> year_of(const data::ItemText& item) {
  if (const auto year = leading_year(field(item, {"year"}))) return year;
  const std::string_view title = item.title;
  const std::size_t last = title.find_last_not_of(" ");
  if (last == title.npos || last < 5 || title[last] != ')' || title[last - 5] != '(') return std::nullopt;
  return leading_year(title.substr(last - 4));
}

// Tags that wait for enough items, by normal form.
class Candidates {
 public:
  explicit Candidates(int level) : level_(level) {}
  void add(const std::string& text, std::int32_t item, std::int32_t parent = TagBuilder::kNone) {
    const std::string form = text::normal_form(text);
    if (form.empty()) return;
    Candidate& candidate = found_.try_emplace(form, Candidate{text, parent, {}}).first->second;
    candidate.items.push_back(item);
  }
  // Moves those of at least `min_items` items into `tags`. Brands and phrases find their parents by `share`.
  void settle(TagBuilder& tags, std::int64_t min_items, double share) const {
    for (const auto& [form, candidate] : found_) {
      if (static_cast<std::int64_t>(candidate.items.size()) < min_items) continue;
      const bool known = tags.find(form) != TagBuilder::kNone;
      const std::int32_t tag = known ? tags.find(form) : tags.declare(candidate.text, level_);
      for (const std::int32_t item : candidate.items) tags.attach(tag, item);
      if (known) continue;
      if (candidate.parent != TagBuilder::kNone)
        tags.connect(candidate.parent, tag);
      else
        tags.connect_by_share(tag, share);
    }
  }

 private:
  struct Candidate {
    std::string text;
    std::int32_t parent;
    std::vector<std::int32_t> items;
  };
  int level_;
  std::map<std::string, Candidate> found_;
};

void add_decades(const Items& items, const ExtractOptions& options, TagBuilder& tags) {
  Candidates narrow(2), alone(1);
  for (std::size_t i = 0; i < items.size(); ++i) {
    const auto year = year_of(items[i]);
    if (!year) continue;
    const auto item = static_cast<std::int32_t>(i);
    const std::string decade = std::to_string(*year / 10 * 10) + "s";
    bool narrows = false;
    for (const std::int32_t tag : tags.tags_of(item)) {
      if (tags.level(tag) != 1) continue;
      narrow.add(decade + " " + tags.text(tag), item, tag);
      narrows = true;
    }
    if (!narrows) alone.add(decade, item);
  }
  alone.settle(tags, options.min_items, options.parent_share);
  narrow.settle(tags, options.min_items, options.parent_share);
}

void add_brands(const Items& items, const ExtractOptions& options, TagBuilder& tags) {
  Candidates brands(kLevels);
  for (std::size_t i = 0; i < items.size(); ++i) brands.add(items[i].brand, static_cast<std::int32_t>(i));
  brands.settle(tags, options.min_items, options.parent_share);
}

void add_phrases(const Items& items, const ExtractOptions& options, TagBuilder& tags) {
  const PhraseLimits limits{options.min_items, options.phrases_per_item, options.max_phrases,
                            options.phrase_max_share};
  const KeyPhrases phrases = pick_key_phrases(
      items, limits, [&](std::string_view term) { return tags.find(term) != TagBuilder::kNone; });
  Candidates candidates(kLevels);
  for (std::size_t i = 0; i < items.size(); ++i)
    for (const std::int32_t phrase : phrases.of_item[i])
      candidates.add(phrases.phrases[phrase], static_cast<std::int32_t>(i));
  candidates.settle(tags, options.min_items, options.parent_share);
}

}  // namespace

data::TagGraph catalog_tags(const Items& items, const ExtractOptions& options, const Context& context) {
  TagBuilder tags(static_cast<std::int64_t>(items.size()));
  add_paths(level_paths(items, options.deeper_categories == "fold"), tags);
  context.check_stop("extract");
  add_decades(items, options, tags);
  add_brands(items, options, tags);
  context.check_stop("extract");
  if (options.phrases_per_item > 0 && options.max_phrases > 0) add_phrases(items, options, tags);
  return tags.finish();
}

Extraction extract_catalog(const Catalogue& catalogue, const ExtractOptions& options,
                           const Context& context) {
  Extraction out;
  out.tags = catalog_tags(catalogue.items, options, context);
  out.item_summaries = summarise_items(catalogue.items, out.tags);
  out.user_summaries = summarise_users(catalogue.train, out.item_summaries);
  return out;
}

}  // namespace hyperllm::stages::extract
