#include "hyperllm/stages/extract/tag_builder.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <tuple>

#include "hyperllm/text/tokenizer.h"

namespace hyperllm::stages::extract {
namespace {

// One line without tabs, as tags.tsv needs it.
std::string one_line(std::string_view text) {
  std::string out;
  for (const char letter : text) {
    const bool space = static_cast<unsigned char>(letter) <= ' ' || letter == 0x7F;
    if (!space)
      out += letter;
    else if (!out.empty() && out.back() != ' ')
      out += ' ';
  }
  if (!out.empty() && out.back() == ' ') out.pop_back();
  return out;
}

}  // namespace

std::int32_t TagBuilder::find(std::string_view text) const {
  const auto at = by_form_.find(text::normal_form(text));
  return at == by_form_.end() ? kNone : at->second;
}

std::int32_t TagBuilder::declare(std::string_view text, int level) {
  std::string form = text::normal_form(text);
  if (form.empty()) return kNone;
  const auto [at, fresh] = by_form_.try_emplace(std::move(form), static_cast<std::int32_t>(tags_.size()));
  if (fresh) tags_.push_back({{one_line(text), level}, {}});
  data::Tag& tag = tags_[at->second].tag;
  tag.level = std::min(tag.level, level);
  return at->second;
}

void TagBuilder::attach(std::int32_t tag, std::int32_t item) {
  auto& mine = item_tags_[item];
  if (std::find(mine.begin(), mine.end(), tag) != mine.end()) return;
  mine.push_back(tag);
  tags_[tag].items.push_back(item);
}

bool TagBuilder::connect(std::int32_t parent, std::int32_t child) {
  if (level(parent) >= level(child)) return false;
  edges_.emplace_back(parent, child);
  return true;
}

void TagBuilder::connect_by_share(std::int32_t child, double share) {
  const std::vector<std::int32_t>& items = tags_[child].items;
  std::map<std::int32_t, std::int64_t> common;
  for (const std::int32_t item : items)
    for (const std::int32_t tag : item_tags_[item])
      if (level(tag) < level(child)) ++common[tag];
  const double least = share * static_cast<double>(items.size());
  for (int parent_level = level(child) - 1; parent_level >= 1; --parent_level) {
    bool found = false;
    for (const auto& [tag, count] : common)
      if (level(tag) == parent_level && static_cast<double>(count) >= least) found |= connect(tag, child);
    if (found) return;
  }
}

data::TagGraph TagBuilder::finish() const {
  std::vector<std::int32_t> order;
  for (std::size_t tag = 0; tag < tags_.size(); ++tag)
    if (!tags_[tag].items.empty()) order.push_back(static_cast<std::int32_t>(tag));
  const auto rank = [&](std::int32_t tag) {
    const Entry& entry = tags_[tag];
    return std::tuple(entry.tag.level, -static_cast<std::int64_t>(entry.items.size()),
                      std::string_view(entry.tag.text));
  };
  std::sort(order.begin(), order.end(), [&](std::int32_t a, std::int32_t b) { return rank(a) < rank(b); });

  data::TagGraph graph;
  std::vector<std::int32_t> number(tags_.size(), kNone);
  for (const std::int32_t tag : order) {
    number[tag] = static_cast<std::int32_t>(graph.tags.size());
    graph.tags.push_back(tags_[tag].tag);
    for (const std::int32_t item : tags_[tag].items) graph.tag_items.emplace_back(number[tag], item);
  }
  for (const auto& [parent, child] : edges_)
    if (number[parent] != kNone && number[child] != kNone)
      graph.edges.emplace_back(number[parent], number[child]);
  for (auto* pairs : {&graph.edges, &graph.tag_items}) {
    std::sort(pairs->begin(), pairs->end());
    pairs->erase(std::unique(pairs->begin(), pairs->end()), pairs->end());
  }
  return graph;
}

}  // namespace hyperllm::stages::extract
