// Points in time, as files write them.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace hyperllm::data {

// A point in time as seconds since 1970: a number of seconds (below 1e11), milliseconds (below 1e14),
// microseconds (below 1e17) or nanoseconds, or a date: `2023-04-30`, `2023/04/30`, `30 Apr 2023`, `April 30,
// 2023`, `Sun Apr 30 17:05:09 +0200 2023`; with a time `17:05`, `17:05:09.25` or `5:05 PM`
// behind it, and `Z`, `UTC`, `+02:00` or nothing (UTC). Dates whose order of day and month must be known
// (30.04.2023) are read by a TimeFormat that says it. Empty for anything else; may be NaN or infinite.
std::optional<double> to_timestamp(std::string_view text);

// One way to read all times of a file.
struct TimeFormat {
  enum class Digits { kAsIs, kDate };  // 20230430 and 20230430170509: seconds, or a date
  enum class Order { kUnknown, kDayFirst, kMonthFirst };
  Digits digits = Digits::kAsIs;
  Order order = Order::kUnknown;
  std::string pattern;  // of strptime, or "s", "ms", "us", "ns": then nothing else counts

  std::optional<double> read(std::string_view text) const;
};

// `text` is 8 or 14 digits that are a date of the years 1900 to 2099 (and a time).
bool is_digit_date(std::string_view text);
// What 13/04/2023 says of the order of all dates beside it; kUnknown for 03/04/2023 and all else.
TimeFormat::Order order_of(std::string_view text);
// `text` is a date whose day and month only their order tells apart.
bool is_ambiguous_date(std::string_view text);

}  // namespace hyperllm::data
