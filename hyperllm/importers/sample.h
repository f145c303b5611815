// What the values of a column look like, by the first rows of a file.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <string_view>
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
  std::size_t counting = 0;            // whole numbers that are one more than the value before
  std::size_t digits = 0, floats = 0;  // 17, and 17.0
  std::size_t missing = 0;             // NaN, NULL, ...
  std::size_t truths = 0;              // true, no, ...
  double least = 0, most = 0, before = 0;
  std::set<std::string> distinct;  // at most kMostDistinct + 1 of them
  static constexpr std::size_t kMostDistinct = 64;

  void add(std::string_view value);
  std::size_t filled() const { return rows - empty; }
  bool all(std::size_t count) const { return filled() > 0 && count == filled(); }
  bool is_time() const { return all(epochs) || dates * 10 > filled() * 9; }
  // 1, 2, 3, ...: rows are numbered so.
  bool counts() const { return rows >= kEnough && counting + 1 == rows; }
  // Ids that are whole numbers, where there are any.
  bool is_numbered() const { return digits + floats > 0 && digits + floats + missing == filled(); }
  static constexpr std::size_t kEnough = 20;
  // A few numbers up to 100, more than one of them.
  bool is_scale() const;
};

// Words that tables hold where a value is missing.
bool is_missing_word(std::string_view word);
// True for true and yes, false for false and no, whatever their case.
std::optional<bool> to_truth(std::string_view word);
// "17" of "17.0"; any other text as it is.
std::string_view without_fraction(std::string_view id);

std::vector<ColumnSample> sample(const std::vector<std::vector<std::string>>& rows, std::size_t from,
                                 std::size_t columns);

}  // namespace hyperllm::importers
