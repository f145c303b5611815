#include "hyperllm/data/importers/csv.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <optional>
#include <string_view>

#include "hyperllm/base/error.h"
#include "hyperllm/base/json.h"
#include "hyperllm/data/importers/csv_columns.h"
#include "hyperllm/data/item_json.h"
#include "hyperllm/data/numbers.h"
#include "hyperllm/data/utf8.h"

namespace hyperllm::data::importers {
namespace {

namespace fs = std::filesystem;

TableFormat table_format(const fs::path& path, const CsvColumns& columns) {
  const std::string separator = columns.separator.empty() ? guess_separator(path) : columns.separator;
  return {separator, columns.quotes && separator != "::"};
}

float rating_of(const TableReader& table, std::size_t column, std::string_view name) {
  const auto rating = static_cast<float>(table.number(column, name));
  if (!std::isfinite(rating))
    throw table.error(name, "the value does not fit a 32-bit float", "Correct or remove the row.");
  return rating;
}

// "Home > Kitchen|Gifts" as {{Home, Kitchen}, {Gifts}}.
std::vector<std::vector<std::string>> paths_of(std::string_view text) {
  const auto split = [](std::string_view whole, char by) {
    std::vector<std::string> parts;
    while (true) {
      const std::size_t at = whole.find(by);
      if (const std::string_view part = trimmed(whole.substr(0, at)); !part.empty()) parts.emplace_back(part);
      if (at == whole.npos) return parts;
      whole.remove_prefix(at + 1);
    }
  };
  std::vector<std::vector<std::string>> paths;
  for (const std::string& path : split(text, '|'))
    if (auto levels = split(path, '>'); !levels.empty()) paths.push_back(std::move(levels));
  return paths;
}

}  // namespace

void set_item_field(ItemText& item, const std::string& name, const std::string& text) {
  const std::string key = column_key(name);
  if (key == "title" || key == "name" || key == "itemname") {
    item.title = text;
  } else if (key == "brand") {
    item.brand = text;
  } else if (key == "categories" || key == "category" || key == "genres") {
    item.categories = paths_of(text);
  } else if (key == "description") {
    item.description = text;
  } else if (!text.empty()) {
    item.other.emplace_back(name, text);
  }
}

std::vector<std::string> first_row(const fs::path& path, const TableFormat& format) {
  TableReader table(path, format);
  if (!table.next()) return {};
  return {table.fields().begin(), table.fields().end()};
}

std::string guess_separator(const fs::path& path) {
  LineReader lines(path);
  std::string_view line;
  while (lines.next(line) && line.empty()) {
  }
  const auto count = [&](std::string_view separator) {
    std::size_t found = 0;
    for (std::size_t at = line.find(separator); at != line.npos;
         at = line.find(separator, at + separator.size()))
      ++found;
    return found;
  };
  std::string best = ",";
  for (const char* separator : {"\t", ";", "|", "::"})
    if (count(separator) > count(best)) best = separator;
  return best;
}

void read_ratings_csv(const fs::path& path, const CsvColumns& columns, const Context& context,
                      RawInteractions& raw) {
  const TableFormat format = table_format(path, columns);
  TableReader table(path, format);
  if (!table.next())
    throw data_error(path.string(), 0, "", "the file is empty", "Give a file with one rating a line.");
  const RatingColumns at = find_rating_columns(table, columns);
  raw.begin_file(path);
  raw.has_rating |= at.rating >= 0;
  raw.has_timestamp |= at.timestamp >= 0;
  ReadMeter meter(context, table.lines());
  if (at.header && !table.next()) return;
  do {
    table.expect_fields(at.count);
    const float rating = at.rating < 0 ? 1 : rating_of(table, at.rating, at.rating_name);
    const double time = at.timestamp < 0 ? 0 : table.timestamp(at.timestamp, at.timestamp_name);
    raw.add(table.id(at.user, at.user_name), table.id(at.item, at.item_name), rating, time, table.line());
    meter.row();
  } while (table.next());
}

void read_items_csv(const fs::path& path, const std::string& id_column, const Context& context,
                    ItemCollector& items) {
  TableReader table(path, {guess_separator(path), true});
  if (!table.next())
    throw data_error(path.string(), 0, "", "the file is empty", "Give a table with a header.");
  const std::vector<std::string> header(table.fields().begin(), table.fields().end());
  const auto id = find_item_id(table, id_column);
  ReadMeter meter(context, table.lines());
  while (table.next()) {
    meter.row();
    table.expect_fields(header.size());
    ItemText item;
    item.id = table.id(id, header[id]);
    if (!items.wants(item.id)) continue;
    for (std::size_t i = 0; i < header.size(); ++i)
      if (i != id) set_item_field(item, header[i], to_utf8(trimmed(table.fields()[i])));
    items.put(std::move(item));
  }
}

void read_items_jsonl(const fs::path& path, const std::string& id_field, const Context& context,
                      ItemCollector& items) {
  LineReader lines(path);
  ReadMeter meter(context, lines);
  std::string_view line;
  while (lines.next(line)) {
    meter.row();
    if (trimmed(line).empty()) continue;
    const nlohmann::json object = parse_json(line);
    if (!object.is_object())
      throw data_error(path.string(), lines.line_number(), "", json_problem(line),
                       "Write one object a line, like {\"id\": \"17\", \"title\": \"...\"}.");
    ItemText item = item_from_json(object, json_id_field(object, id_field));
    if (item.id.empty())
      throw data_error(path.string(), lines.line_number(), id_field.empty() ? "id" : id_field,
                       "it is missing or empty",
                       "Give the id that the interactions use, or name the field with item_column.");
    items.put(std::move(item));
  }
}

}  // namespace hyperllm::data::importers
