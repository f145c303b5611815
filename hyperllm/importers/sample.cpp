#include "hyperllm/importers/sample.h"

#include <algorithm>
#include <cctype>
#include <cmath>

#include "hyperllm/data/numbers.h"

namespace hyperllm::importers {
namespace {

// 5,5 and 1.234,56: no way of grouping digits.
bool is_decimal_comma(std::string_view text) {
  const std::size_t comma = text.rfind(',');
  if (comma == text.npos || text.find(',') != comma || !data::to_decimal(text, true)) return false;
  return text.size() - comma - 1 != 3 || comma > 3 || text[0] == '0';
}

}  // namespace

void ColumnSample::add(std::string_view value) {
  value = data::trimmed(value);
  ++rows;
  if (value.empty()) {
    ++empty;
    return;
  }
  if (distinct.size() <= kMostDistinct) distinct.emplace(value);
  decimal_commas += is_decimal_comma(value);
  std::optional<double> number = data::to_number(value);
  if (!number) number = data::to_decimal(value, is_decimal_comma(value));
  missing += is_missing_word(value);
  truths += to_truth(value).has_value();
  const bool plain = value.find_first_not_of("0123456789") == value.npos;
  digits += plain;
  floats += !plain && without_fraction(value).size() < value.size();
  if (number) {
    counting += plain && rows > 1 && *number == before + 1;
    before = *number;
    least = numbers == 0 ? *number : std::min(least, *number);
    most = numbers == 0 ? *number : std::max(most, *number);
    ++numbers;
    whole += value.find_first_of(".,eE") == value.npos;
    digit_dates += data::is_digit_date(value);
    constexpr double kFrom = 315532800, kTo = 4102444800;  // 1980, 2100
    const auto time = data::to_timestamp(value);
    epochs += time && *time >= kFrom && *time < kTo && std::abs(*number) >= kFrom;
    return;
  }
  const data::TimeFormat::Order order = data::order_of(value);
  day_first += order == data::TimeFormat::Order::kDayFirst;
  month_first += order == data::TimeFormat::Order::kMonthFirst;
  const bool unclear = data::is_ambiguous_date(value);
  ambiguous += unclear;
  dates += unclear || order != data::TimeFormat::Order::kUnknown || data::to_timestamp(value).has_value();
}

bool is_missing_word(std::string_view word) {
  constexpr std::string_view kWords[] = {"NaN", "nan",  "NULL",      "null",   "None",   "none",
                                         "NA",  "N/A",  "n/a",       "(null)", "<null>", "<NA>",
                                         "\\N", "#N/A", "undefined", "nil"};
  return std::find(std::begin(kWords), std::end(kWords), word) != std::end(kWords);
}

std::optional<bool> to_truth(std::string_view word) {
  std::string lower;
  for (const char letter : word.substr(0, 6))
    lower += static_cast<char>(std::tolower(static_cast<unsigned char>(letter)));
  if (lower == "true" || lower == "yes") return true;
  if (lower == "false" || lower == "no") return false;
  return std::nullopt;
}

std::string_view without_fraction(std::string_view id) {
  if (!id.ends_with(".0")) return id;
  const std::string_view whole = id.substr(0, id.size() - 2);
  return whole.empty() || whole.find_first_not_of("0123456789") != whole.npos ? id : whole;
}

bool ColumnSample::is_scale() const {
  constexpr std::size_t kMostValues = 11;
  return all(numbers) && distinct.size() > 1 && distinct.size() <= kMostValues && least >= -1 && most <= 100;
}

std::vector<ColumnSample> sample(const std::vector<std::vector<std::string>>& rows, std::size_t from,
                                 std::size_t columns) {
  std::vector<ColumnSample> result(columns);
  for (std::size_t r = from; r < rows.size(); ++r)
    for (std::size_t c = 0; c < std::min(columns, rows[r].size()); ++c) result[c].add(rows[r][c]);
  return result;
}

}  // namespace hyperllm::importers
