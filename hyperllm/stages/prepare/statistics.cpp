#include "hyperllm/stages/prepare/statistics.h"

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <unordered_set>
#include <utility>

namespace hyperllm::stages::prepare {
namespace {

namespace fs = std::filesystem;

std::vector<std::string_view> fields_of(const data::ItemText& item) {
  std::vector<std::string_view> fields = {item.title, item.brand, item.description};
  for (const auto& path : item.categories) fields.insert(fields.end(), path.begin(), path.end());
  for (const auto& [name, text] : item.other) fields.push_back(text);
  std::erase(fields, std::string_view());
  return fields;
}

void measure_texts(const std::vector<data::ItemText>& texts, Statistics& result) {
  std::unordered_set<std::string_view> distinct;
  std::int64_t tokens = 0, with_text = 0;
  for (const data::ItemText& item : texts) {
    const auto fields = fields_of(item);
    with_text += !fields.empty();
    for (const std::string_view field : fields) tokens += count_tokens(field);
    distinct.insert(fields.begin(), fields.end());
  }
  result.features = static_cast<std::int64_t>(distinct.size());
  result.average_tokens = with_text ? static_cast<double>(tokens) / static_cast<double>(with_text) : 0;
  result.items_without_text = result.items - with_text;
}

std::optional<double> average_summary(const fs::path& folder, const data::Dataset& dataset) {
  std::int64_t tokens = 0, summaries = 0;
  for (const auto& [file, ids] :
       {std::pair{"item_summaries.jsonl", &dataset.items}, {"user_summaries.jsonl", &dataset.users}}) {
    if (!fs::exists(folder / file)) continue;
    for (const std::string& summary : data::load_summaries(folder / file, *ids)) {
      tokens += count_tokens(summary);
      summaries += !summary.empty();
    }
  }
  if (summaries == 0) return std::nullopt;
  return static_cast<double>(tokens) / static_cast<double>(summaries);
}

std::string grouped(std::int64_t value) {
  std::string digits = std::to_string(value);
  for (std::size_t i = digits.size(); i > 3; i -= 3) digits.insert(i - 3, ",");
  return digits;
}

std::string shown(const std::optional<std::int64_t>& value) { return value ? grouped(*value) : "-"; }

std::string fixed(double value, int decimals) {
  char text[64];
  std::snprintf(text, sizeof text, "%.*f", decimals, value);
  return text;
}

// Two lines, columns as wide as the wider of heading and value: the first to the left, the others to the
// right.
std::string table(const std::vector<std::pair<std::string, std::string>>& columns) {
  std::string head, row;
  for (const auto& [heading, value] : columns) {
    const std::size_t width = std::max(heading.size(), value.size());
    for (const auto& [cell, line] : {std::pair{&heading, &head}, {&value, &row}}) {
      const std::string padding(width - cell->size(), ' ');
      *line += line->empty() ? *cell + padding : "  " + padding + *cell;
    }
  }
  return head + "\n" + row + "\n";
}

}  // namespace

double Statistics::density() const {
  if (users == 0 || items == 0) return 0;
  return static_cast<double>(interactions()) / (static_cast<double>(users) * static_cast<double>(items));
}

std::int64_t count_tokens(std::string_view text) {
  std::int64_t tokens = 0;
  bool in_word = false;
  for (const unsigned char letter : text) {
    const bool word = letter >= 0x80 || std::isalnum(letter);
    tokens += word ? !in_word : std::ispunct(letter) != 0;
    in_word = word;
  }
  return tokens;
}

Statistics measure(const data::Dataset& dataset, const std::vector<data::ItemText>& texts,
                   const data::TagGraph* tags) {
  Statistics result;
  result.name = dataset.name;
  result.users = dataset.num_users();
  result.items = dataset.num_items();
  result.train = dataset.train.size();
  result.valid = dataset.valid.size();
  result.test = dataset.test.size();
  measure_texts(texts, result);
  if (tags) {
    result.tags = static_cast<std::int64_t>(tags->tags.size());
    result.tag_item = static_cast<std::int64_t>(tags->tag_items.size());
    result.tag_tag = static_cast<std::int64_t>(tags->edges.size());
  }
  return result;
}

Statistics measure_folder(const fs::path& folder) {
  const data::Dataset dataset = data::load_dataset(folder);
  std::vector<data::ItemText> texts;
  if (fs::exists(folder / "items.jsonl")) texts = data::load_item_texts(folder, dataset.items);
  std::optional<data::TagGraph> tags;
  if (data::has_tags(folder)) tags = data::load_tags(folder, dataset.items);
  Statistics result = measure(dataset, texts, tags ? &*tags : nullptr);
  result.average_summary = average_summary(folder, dataset);
  return result;
}

std::string format_statistics(const Statistics& s) {
  const bool texts = s.items_without_text < s.items;
  std::string result = table({{"Dataset", s.name},
                              {"Users", grouped(s.users)},
                              {"Items", grouped(s.items)},
                              {"User-Item", grouped(s.interactions())},
                              {"Density", fixed(100 * s.density(), 2) + "%"},
                              {"Train", grouped(s.train)},
                              {"Valid", grouped(s.valid)},
                              {"Test", grouped(s.test)},
                              {"Features", texts ? grouped(s.features) : "-"},
                              {"Avg Token", texts ? fixed(s.average_tokens, 0) : "-"}});
  return s.tags ? result + "\n" + format_tag_statistics(s) : result;
}

std::string format_tag_statistics(const Statistics& s) {
  return table({{"Dataset", s.name},
                {"Tags", shown(s.tags)},
                {"Tag-Item", shown(s.tag_item)},
                {"Tag-Tag", shown(s.tag_tag)},
                {"Avg Summary", s.average_summary ? fixed(*s.average_summary, 0) : "-"}});
}

}  // namespace hyperllm::stages::prepare
