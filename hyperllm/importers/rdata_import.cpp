#include "hyperllm/importers/rdata_import.h"

#include <array>
#include <charconv>
#include <cmath>
#include <unordered_set>

#include "hyperllm/base/error.h"
#include "hyperllm/importers/columns.h"
#include "hyperllm/importers/importer.h"
#include "hyperllm/importers/item_fields.h"
#include "hyperllm/importers/rdata.h"

namespace hyperllm::importers {
namespace {

struct Columns {
  const RColumn* user = nullptr;
  const RColumn* item = nullptr;
  const RColumn* rating = nullptr;     // may be absent
  const RColumn* timestamp = nullptr;  // may be absent
};

const RColumn* locate(const RDataFrame& frame, const std::filesystem::path& path, const std::string& wanted,
                      const char* option, bool required) {
  if (wanted == "none" && !required) return nullptr;
  if (!wanted.empty()) return &frame.column(wanted, path);
  std::vector<std::string_view> names;
  for (const RColumn& column : frame.columns) names.push_back(column.name);
  const int at = recognise_column(names, option);
  if (at >= 0) return &frame.columns[static_cast<std::size_t>(at)];
  if (!required) return nullptr;
  std::string list;
  for (const std::string_view name : names) list.append(list.empty() ? "" : ", ").append(name);
  throw data_error(path.string(), 0, "", std::string("cannot tell which column ") + option + " is",
                   "Name it with " + std::string(option) + "; the columns are: " + list + ".");
}

Columns find_columns(const RDataFrame& frame, const std::filesystem::path& path, const CsvColumns& wanted) {
  return {locate(frame, path, wanted.user, "user_column", true),
          locate(frame, path, wanted.item, "item_column", true),
          locate(frame, path, wanted.rating, "rating_column", false),
          locate(frame, path, wanted.timestamp, "timestamp_column", false)};
}

// The value as text; whole numbers without a point; "" for NA.
std::string text_of(const RColumn& column, std::int64_t row) {
  const auto at = static_cast<std::size_t>(row);
  if (column.is_text()) return std::string(column.texts[at].value_or(""));
  const double number = column.numbers[at];
  if (std::isnan(number)) return "";
  std::array<char, 32> buffer;
  const auto result = std::to_chars(buffer.data(), buffer.data() + buffer.size(), number);
  if (number == std::floor(number) && std::fabs(number) < 1e15)
    return std::to_string(static_cast<std::int64_t>(number));
  return {buffer.data(), result.ptr};
}

std::string id_of(const RColumn& column, std::int64_t row, const std::filesystem::path& path) {
  std::string id = text_of(column, row);
  if (id.empty())
    throw data_error(path.string(), row + 1, column.name, "the id is missing (NA)", "Remove the row in R.");
  return id;
}

double number_of(const RColumn& column, std::int64_t row, const std::filesystem::path& path) {
  if (column.is_text() || !std::isfinite(column.numbers[static_cast<std::size_t>(row)]))
    throw data_error(path.string(), row + 1, column.name,
                     "'" + text_of(column, row) + "' is not a finite number",
                     "Convert the column or remove the row in R.");
  return column.numbers[static_cast<std::size_t>(row)];
}

}  // namespace

bool is_r_file(const std::filesystem::path& path) {
  const std::string end = path.extension().string();
  return end == ".rda" || end == ".RData" || end == ".rds" || end == ".rdb";
}

void read_r_ratings(const std::filesystem::path& path, const std::string& object, const CsvColumns& columns,
                    const Context& context, RawInteractions& raw) {
  const RDataFrame frame = read_r_data_frame(path, object);
  context.check_stop("prepare");
  const Columns at = find_columns(frame, path, columns);
  FileReport& report = raw.begin_file(path);
  report.format = "rda";
  const std::pair<const char*, const RColumn*> roles[] = {
      {"user", at.user}, {"item", at.item}, {"rating", at.rating}, {"timestamp", at.timestamp}};
  for (const auto& [role, column] : roles)
    if (column) report.used.emplace_back(role, column->name);
  for (const RColumn& column : frame.columns)
    if (&column != at.user && &column != at.item && &column != at.rating && &column != at.timestamp)
      report.unused.push_back(column.name);
  BadRows bad(columns.bad_rows, report);
  raw.has_rating |= at.rating != nullptr;
  raw.has_timestamp |= at.timestamp != nullptr;
  for (std::int64_t row = 0; row < frame.rows; ++row) {
    bad.row([&] {
      const auto rating = at.rating ? static_cast<float>(number_of(*at.rating, row, path)) : 1;
      const double time = at.timestamp ? number_of(*at.timestamp, row, path) : 0;
      raw.add(id_of(*at.user, row, path), id_of(*at.item, row, path), rating, time, row + 1);
      if (at.rating) report.ratings.add(rating);
      if (at.timestamp) report.times.add(time);
    });
  }
  bad.check();
}

void read_r_items(const std::filesystem::path& path, const std::string& object, const CsvColumns& columns,
                  const Context& context, ItemCollector& items) {
  const RDataFrame frame = read_r_data_frame(path, object);
  context.check_stop("prepare");
  const Columns at = find_columns(frame, path, columns);
  items.begin_file(path, "rda").used = {{"id", at.item->name}};
  std::unordered_set<std::string> seen;
  for (std::int64_t row = 0; row < frame.rows; ++row)
    items.row([&] {
      ItemText item;
      item.id = id_of(*at.item, row, path);
      if (!items.wants(item.id) || !seen.insert(item.id).second) return;
      for (const RColumn& column : frame.columns)
        if (&column != at.user && &column != at.item && &column != at.rating && &column != at.timestamp)
          set_item_field(item, column.name, text_of(column, row), columns.list_separator);
      items.put(std::move(item));
    });
}

Importer rdata_importer() {
  Importer importer{"rda",
                    {"user_column", "item_column", "rating_column", "timestamp_column", "object", "bad_rows",
                     "bad_rows_share", "list_separator", "encoding"},
                    nullptr,
                    nullptr,
                    nullptr};
  importer.recognise = [](const std::filesystem::path& path, const std::string&) { return is_r_file(path); };
  importer.read = [](const ImportOptions& options, const Context& context, Source& source) {
    source.items = only_input(options);
    read_r_ratings(source.items, options.object, options.columns(), context, source.raw);
  };
  importer.read_items = [](const std::filesystem::path& path, const ImportOptions& options,
                           const Context& context, ItemCollector& items, bool) {
    if (!is_r_file(path)) return false;
    read_r_items(path, options.object, options.columns(), context, items);
    return true;
  };
  return importer;
}

}  // namespace hyperllm::importers
