#include "hyperllm/importers/records.h"

#include <algorithm>
#include <cctype>
#include <cmath>

#include "hyperllm/base/error.h"
#include "hyperllm/data/numbers.h"
#include "hyperllm/data/utf8.h"
#include "hyperllm/importers/sample.h"

namespace hyperllm::importers {
namespace {

std::string shown(std::string_view text) {
  constexpr std::size_t kMost = 60;
  return "'" + std::string(text.substr(0, kMost)) + (text.size() > kMost ? "...'" : "'");
}

// One row at a time into RawInteractions.
class Reader {
 public:
  Reader(Records& records, const Layout& at, const CsvColumns& columns, RawInteractions& raw,
         FileReport& report)
      : records_(records),
        at_(at),
        columns_(columns),
        raw_(raw),
        report_(report),
        bad_(columns.bad_rows, report) {}

  void read(const Context& context) {
    ReadMeter meter(context, records_.lines());
    while (next_row(records_, bad_, [this] { row(); })) meter.row();
    bad_.check();
  }

 private:
  void row() {
    const std::vector<std::string_view>& fields = records_.fields();
    if (at_.header && names_columns(fields)) {
      bad_.leave_out("the header again",
                     records_.lines().path().string() + ":" + std::to_string(records_.line()));
      return;
    }
    if (fields.size() != at_.count && !ends_in_nothing(fields))
      throw error(
          "", std::to_string(fields.size()) + " fields where " + std::to_string(at_.count) + " are expected",
          fields.size() < at_.count
              ? "Fill in the missing fields, or check the separator."
              : "Put fields that hold the separator in quotes, or check the separator.");
    if (at_.label >= 0 && number(at_.label, false) < 0.5) {
      bad_.leave_out(at_.name(at_.label) + " = 0",
                     records_.lines().path().string() + ":" + std::to_string(records_.line()));
      return;
    }
    Part part = Part::kTrain;
    if (at_.split >= 0) part = part_at(at_.split);
    const auto rating = static_cast<float>(at_.rating < 0 ? 1 : number(at_.rating, at_.comma));
    if (!std::isfinite(rating))
      throw error(at_.name(at_.rating), "the value does not fit a 32-bit float",
                  "Correct or remove the row.");
    const double time = at_.timestamp < 0 ? 0 : timestamp(at_.timestamp);
    raw_.add(id(at_.user), id(at_.item), rating, time, records_.line());
    if (at_.split >= 0) raw_.parts.push_back(part);
    count_values(at_, rating, time, report_);
  }

  // A separator behind the last field, of the row or of the header alone.
  bool ends_in_nothing(const std::vector<std::string_view>& fields) const {
    if (fields.size() == at_.count + 1) return fields.back().empty();
    if (fields.size() + 1 != at_.count || !at_.header || !at_.names.back().empty()) return false;
    const int last = static_cast<int>(fields.size());
    return std::max({at_.user, at_.item, at_.rating, at_.timestamp, at_.label, at_.split}) < last;
  }
  bool names_columns(const std::vector<std::string_view>& fields) const {
    return fields.size() == at_.count && field(at_.user) == at_.name(at_.user) &&
           std::equal(fields.begin(), fields.end(), at_.names.begin());
  }
  std::string_view field(int column) const { return records_.fields()[static_cast<std::size_t>(column)]; }
  Error error(std::string_view name, std::string_view problem, std::string_view remedy) const {
    return data_error(records_.lines().path().string(), records_.line(), name, problem, remedy);
  }
  const char* option_of(int column) const {
    return column == at_.rating ? "rating_column" : column == at_.label ? "label_column" : "timestamp_column";
  }

  double number(int column, bool comma) const {
    const std::string_view text = field(column);
    const auto value = data::to_decimal(text, comma);
    const auto truth = value ? std::nullopt : to_truth(data::trimmed(text));
    if (truth && column == at_.label) return *truth;
    if (truth)
      throw error(at_.name(column), shown(text) + " is not a number",
                  "If it says whether the item was chosen, give label_column = " + at_.name(column) +
                      " and rating_column = none: rows with " + (*truth ? "no or false" : std::string(text)) +
                      " are left out then.");
    if (!value)
      throw error(at_.name(column), shown(text) + " is not a number",
                  std::string("Give a number such as 4 or 3.5") +
                      (text.find(',') == text.npos ? ", or " : ", decimal = comma or point, or ") +
                      option_of(column) + " = none.");
    if (!std::isfinite(*value))
      throw error(at_.name(column), shown(text) + " is not finite", "Correct or remove the row.");
    return *value;
  }
  double timestamp(int column) const {
    const std::string_view text = field(column);
    const auto value = at_.times.read(text);
    if (!value)
      throw error(
          at_.name(column), shown(text) + " is not a point in time",
          "Give seconds or milliseconds since 1970 or a date such as 2023-04-30T17:05:09Z, say how the times "
          "are written, for example timestamp_format = %d.%m.%Y, or give timestamp_column = none.");
    if (!std::isfinite(*value))
      throw error(at_.name(column), shown(text) + " is not finite", "Correct or remove the row.");
    return *value;
  }
  std::string_view id(int column) const {
    std::string_view text = field(column);
    const std::string_view inner = data::trimmed(text);
    if (!records_.quoted(static_cast<std::size_t>(column))) text = inner;
    if (inner.empty()) throw error(at_.name(column), "it is empty", "Give an id, or remove the row.");
    if (column == at_.user ? at_.numbered_user : at_.numbered_item) {
      if (!std::isdigit(static_cast<unsigned char>(inner[0])) && is_missing_word(inner))
        throw error(at_.name(column), shown(inner) + " is no id where ids are numbers",
                    "Give an id, or remove the row.");
      text = without_fraction(text);
    }
    if (text.find_first_of("\t\r\n") != text.npos)
      throw error(at_.name(column), "the id holds a tab or a line end", "Replace it in the source.");
    if (!data::is_utf8(text))
      throw error(
          at_.name(column), "the id is not UTF-8",
          "Give the file's encoding, for example encoding = windows-1252 (or convert it with iconv -f "
          "WINDOWS-1252 -t UTF-8).");
    return text;
  }
  Part part_at(int column) const {
    const auto part = part_of(field(column));
    if (!part)
      throw error(at_.name(column), shown(field(column)) + " is none of train, valid and test",
                  "Correct it, or give split_column = none.");
    return *part;
  }

  Records& records_;
  const Layout& at_;
  const CsvColumns& columns_;
  RawInteractions& raw_;
  FileReport& report_;
  BadRows bad_;
};

}  // namespace

void count_values(const Layout& at, float rating, double time, FileReport& report) {
  if (at.rating >= 0) {
    report.ratings.add(rating);
    report.zero_ratings += rating == 0;
    report.negative_ratings += rating < 0;
  }
  if (at.timestamp >= 0) report.times.add(time);
}

void report_layout(const Layout& at, const Probe& probe, const CsvColumns& columns, FileReport& report) {
  report.format = columns.format;
  const std::pair<const char*, int> roles[] = {{"user", at.user},     {"item", at.item},
                                               {"rating", at.rating}, {"timestamp", at.timestamp},
                                               {"label", at.label},   {"split", at.split}};
  for (const auto& [role, column] : roles)
    if (column >= 0) report.used.emplace_back(role, at.name(column));
  for (int c = 0; c < static_cast<int>(at.names.size()); ++c) {
    bool used = false;
    for (const auto& [role, column] : roles) used |= column == c;
    if (!used) report.unused.push_back(at.name(c).empty() ? "(no name)" : at.name(c));
  }
  if (at.floats) report.notes.push_back("ids such as 17.0 are read as 17");
  constexpr std::size_t kShown = 5;
  for (std::size_t r = at.header ? 1 : 0; r < probe.rows.size() && report.first_rows.size() < kShown; ++r)
    report.first_rows.push_back(probe.rows[r]);
}

void read_records(Records& records, const Layout& at, const CsvColumns& columns, const Context& context,
                  RawInteractions& raw, FileReport& report) {
  raw.has_rating |= at.rating >= 0;
  raw.has_timestamp |= at.timestamp >= 0;
  Reader(records, at, columns, raw, report).read(context);
}

}  // namespace hyperllm::importers
