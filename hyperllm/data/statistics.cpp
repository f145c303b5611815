#include "hyperllm/data/statistics.h"

#include <algorithm>
#include <cctype>
#include <unordered_set>
#include <utility>

namespace hyperllm::data {
namespace {

namespace fs = std::filesystem;

std::vector<std::string_view> fields_of(const ItemText& item) {
  std::vector<std::string_view> fields = {item.title, item.brand, item.description};
  for (const auto& path : item.categories) fields.insert(fields.end(), path.begin(), path.end());
  for (const auto& [name, text] : item.other) fields.push_back(text);
  std::erase(fields, std::string_view());
  return fields;
}

void measure_texts(const std::vector<ItemText>& texts, Statistics& result) {
  std::unordered_set<std::string_view> distinct;
  std::int64_t tokens = 0, with_text = 0;
  for (const ItemText& item : texts) {
    const auto fields = fields_of(item);
    with_text += !fields.empty();
    for (const std::string_view field : fields) tokens += count_tokens(field);
    distinct.insert(fields.begin(), fields.end());
  }
  result.features = static_cast<std::int64_t>(distinct.size());
  result.average_tokens = with_text ? static_cast<double>(tokens) / static_cast<double>(with_text) : 0;
  result.items_without_text = result.items - with_text;
}

std::optional<double> average_summary(const fs::path& folder, const Dataset& dataset) {
  std::int64_t tokens = 0, summaries = 0;
  for (const auto& [file, ids] :
       {std::pair{"item_summaries.jsonl", &dataset.items}, {"user_summaries.jsonl", &dataset.users}}) {
    if (!fs::exists(folder / file)) continue;
    for (const std::string& summary : load_summaries(folder / file, *ids)) {
      tokens += count_tokens(summary);
      summaries += !summary.empty();
    }
  }
  if (summaries == 0) return std::nullopt;
  return static_cast<double>(tokens) / static_cast<double>(summaries);
}

struct Shown {
  TableStyle style;
  TableCell nothing() const { return is_exact(style) ? "" : "-"; }
  TableCell count(const std::optional<std::int64_t>& value) const {
    return value ? TableCell(count_text(*value, style)) : nothing();
  }
  TableCell number(const std::optional<double>& value, std::int64_t digits) const {
    return value ? TableCell(fixed(*value, is_exact(style) ? 6 : digits)) : nothing();
  }
};

// Without a rule, as wide as needed.
std::string as_text(TextTable table) {
  table.rule = false;
  return format_table(table, TableStyle::kText);
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

Statistics measure(const Dataset& dataset, const std::vector<ItemText>& texts, const TagGraph* tags) {
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
  const Dataset dataset = load_dataset(folder);
  std::vector<ItemText> texts;
  if (fs::exists(folder / "items.jsonl")) texts = load_item_texts(folder, dataset.items);
  std::optional<TagGraph> tags;
  if (has_tags(folder)) tags = load_tags(folder, dataset.items);
  Statistics result = measure(dataset, texts, tags ? &*tags : nullptr);
  result.average_summary = average_summary(folder, dataset);
  return result;
}

TextTable statistics_table(std::span<const Statistics> datasets, TableStyle style) {
  const Shown shown{style};
  TextTable table;
  table.header = {"Dataset", "Users", "Items", "User-Item", "Density",
                  "Train",   "Valid", "Test",  "Features",  "Avg Token"};
  for (const Statistics& s : datasets) {
    const bool texts = s.items_without_text < s.items;
    table.rows.push_back(
        {s.name, shown.count(s.users), shown.count(s.items), shown.count(s.interactions()),
         is_exact(style) ? shown.number(s.density(), 6) : TableCell(fixed(100 * s.density(), 2) + "%"),
         shown.count(s.train), shown.count(s.valid), shown.count(s.test),
         texts ? shown.count(s.features) : shown.nothing(),
         texts ? shown.number(s.average_tokens, 0) : shown.nothing()});
  }
  return table;
}

TextTable tag_statistics_table(std::span<const Statistics> datasets, TableStyle style) {
  const Shown shown{style};
  TextTable table;
  table.header = {"Dataset", "Tags", "Tag-Item", "Tag-Tag", "Avg Summary"};
  for (const Statistics& s : datasets)
    table.rows.push_back({s.name, shown.count(s.tags), shown.count(s.tag_item), shown.count(s.tag_tag),
                          shown.number(s.average_summary, 0)});
  return table;
}

std::string format_statistics(const Statistics& s) {
  const std::string result = as_text(statistics_table({&s, 1}, TableStyle::kText));
  return s.tags ? result + "\n" + format_tag_statistics(s) : result;
}

std::string format_tag_statistics(const Statistics& s) {
  return as_text(tag_statistics_table({&s, 1}, TableStyle::kText));
}

}  // namespace hyperllm::data
