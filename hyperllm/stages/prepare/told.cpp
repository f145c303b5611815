#include "hyperllm/stages/prepare/told.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace hyperllm::stages::prepare {
namespace {

using importers::FileReport;

// pandas.read_csv's own list.
bool is_misread(std::string_view id) {
  constexpr std::array<std::string_view, 23> kMissing = {
      "#N/A",    "#N/A N/A", "#NA", "-1.#IND",   "-1.#QNAN", "-NaN",   "-nan", "1.#IND",
      "1.#QNAN", "<NA>",     "N/A", "NA",        "NULL",     "NaN",    "None", "n/a",
      "nan",     "null",     "\\N", "undefined", "(null)",   "<null>", "nil"};
  return id.starts_with('"') || id.starts_with("\u201C") || id.starts_with("\u2018") ||
         std::find(kMissing.begin(), kMissing.end(), id) != kMissing.end();
}

// 1.23E+15: what spreadsheets write for a long number.
bool is_rounded(std::string_view id) {
  const std::size_t mark = id.find("E+");
  return mark != id.npos && mark > 0 && id.find_first_not_of("0123456789.,") == mark &&
         id.find_first_not_of("0123456789", mark + 2) == id.npos;
}

void warn_of(const FileReport& report, std::int64_t count, const std::string& what, const std::string& option,
             const Context& context) {
  if (count > 0)
    context.warn(report.path.string() + ": " + std::to_string(count) + " of " +
                 std::to_string(report.ratings.count) + " ratings are " + what +
                 ". They count as interactions; min_rating = " + option + " leaves them out.");
}

}  // namespace

void tell_import(const FileReport& report, const Context& context) {
  context.info(describe(report));
  for (const auto& [reason, rows] : report.left_out)
    context.warn(std::to_string(rows.count) + " rows left out: " + reason + "; the first: " + rows.first);
  if (report.ratings.most > 1)
    warn_of(report, report.zero_ratings, "0, which says 'not rated' in many sources", "1", context);
  constexpr double kYears = 1e8;  // 1973
  if (report.times.count > 0 && report.times.most > 0 && report.times.most < kYears)
    context.warn(report.path.string() +
                 ": all times are before 1973, because numbers are taken for seconds since "
                 "1970. If they count days or years, their order is right and their distances are not.");
  warn_of(report, report.negative_ratings, "below 0, which says 'not rated' in some sources", "0", context);
}

std::string first_rows(const importers::RawInteractions& raw) {
  std::string text;
  for (const FileReport& report : raw.reports) {
    text += describe(report) + "\n";
    for (const auto& row : report.first_rows) {
      std::string line;
      for (const std::string& field : row) line += (line.empty() ? "  " : " | ") + field.substr(0, 40);
      text += line + "\n";
    }
  }
  return text;
}

void warn_about_ids(const data::Dataset& dataset, const Context& context) {
  std::int64_t count = 0, rounded = 0;
  std::string first, first_rounded;
  for (const auto* ids : {&dataset.users, &dataset.items})
    for (const std::string& id : *ids)
      if (is_misread(id) && count++ == 0) {
        first = id;
      } else if (is_rounded(id) && rounded++ == 0) {
        first_rounded = id;
      }
  if (rounded > 0)
    context.warn(
        std::to_string(rounded) + " ids, '" + first_rounded +
        "' for one, are numbers that a spreadsheet has rounded: several ids may have become one. Export the "
        "source again with its ids as texts.");
  if (count > 0)
    context.warn(std::to_string(count) + " ids, '" + first +
                 "' for one, are values that RecBole (by pandas) takes for missing or for quotes. hyperllm "
                 "keeps them; "
                 "rename them if RecBole is to read the folder.");
}

}  // namespace hyperllm::stages::prepare
