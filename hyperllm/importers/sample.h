// What the values of a column look like, by the first rows of a file.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "hyperllm/data/times.h"

namespace hyperllm::importers {

struct ColumnSample {
  std::size_t rows = 0, empty = 0;
  std::size_t numbers = 0, whole = 0;  // whole: without a decimal mark
  std::size_t dates = 0;               // texts that are a date, digits alone left out
  std::size_t epochs = 0;              // numbers that are a time of the years 1980 to 2099
  std::size_t digit_dates = 0;         // 20200913
  std::size_t decimal_commas = 0;      // 5,5
  std::size_t ambiguous = 0, day_first = 0, month_first = 0;
  double least = 0, most = 0;
  std::set<std::string> distinct;  // at most kMostDistinct + 1 of them
  static constexpr std::size_t kMostDistinct = 64;

  void add(std::string_view value);
  std::size_t filled() const { return rows - empty; }
  bool all(std::size_t count) const { return filled() > 0 && count == filled(); }
  bool is_time() const { return all(epochs) || dates * 10 > filled() * 9; }
  // A few numbers up to 100, more than one of them.
  bool is_scale() const;
};

std::vector<ColumnSample> sample(const std::vector<std::vector<std::string>>& rows, std::size_t from,
                                 std::size_t columns);

}  // namespace hyperllm::importers
