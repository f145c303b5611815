#include "hyperllm/importers/sample.h"

#include <algorithm>
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
  if (number) {
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
