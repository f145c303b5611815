#include "hyperllm/data/numbers.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cmath>
#include <limits>
#include <system_error>

namespace hyperllm::data {
namespace {

std::string_view unsigned_part(std::string_view text) {
  text = trimmed(text);
  if (text.size() > 1 && text[0] == '+' && text[1] != '-') text.remove_prefix(1);
  return text;
}

// Takes exactly `digits` digits off the front of `text`; -1 if they are not there.
int take_digits(std::string_view& text, std::size_t digits) {
  int value = -1;
  if (text.size() < digits || text[0] == '-') return -1;
  const auto [end, code] = std::from_chars(text.data(), text.data() + digits, value);
  if (code != std::errc() || end != text.data() + digits) return -1;
  text.remove_prefix(digits);
  return value;
}

bool take(std::string_view& text, char letter) {
  if (!text.starts_with(letter)) return false;
  text.remove_prefix(1);
  return true;
}

// HH:MM, HH:MM:SS or HH:MM:SS.fraction, as seconds.
std::optional<double> take_clock(std::string_view& text) {
  const int hour = take_digits(text, 2);
  const bool colon = take(text, ':');
  const int minute = take_digits(text, 2);
  if (hour < 0 || hour > 23 || !colon || minute < 0 || minute > 59) return std::nullopt;
  double seconds = 0;
  if (take(text, ':')) {
    const std::size_t length = std::min(text.find_first_not_of("0123456789."), text.size());
    const auto value = to_number(text.substr(0, length));
    if (!value || *value >= 61) return std::nullopt;
    seconds = *value;
    text.remove_prefix(length);
  }
  return hour * 3600 + minute * 60 + seconds;
}

// Z, +HH:MM, -HH:MM or nothing, as seconds east of Greenwich.
std::optional<double> take_zone(std::string_view& text) {
  if (take(text, 'Z') || text.empty()) return 0;
  const double sign = text[0] == '-' ? -1 : 1;
  if (text[0] != '+' && text[0] != '-') return std::nullopt;
  text.remove_prefix(1);
  const auto clock = take_clock(text);
  if (!clock) return std::nullopt;
  return sign * *clock;
}

std::optional<double> iso_time(std::string_view text) {
  const int year = take_digits(text, 4);
  const bool first = take(text, '-');
  const int month = take_digits(text, 2);
  const bool second = take(text, '-');
  const int day = take_digits(text, 2);
  const std::chrono::year_month_day date{std::chrono::year(year),
                                         std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day))};
  if (year < 0 || !first || month < 0 || !second || day < 0 || !date.ok()) return std::nullopt;
  const double midnight =
      86400.0 * static_cast<double>(std::chrono::sys_days(date).time_since_epoch().count());
  if (text.empty()) return midnight;
  if (!take(text, 'T') && !take(text, ' ')) return std::nullopt;
  const auto clock = take_clock(text);
  const auto zone = clock ? take_zone(text) : std::nullopt;
  if (!zone || !text.empty()) return std::nullopt;
  return midnight + *clock - *zone;
}

template <typename T>
void append(std::string& text, T value) {
  char buffer[40];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, value).ptr;
  text.append(buffer, end);
}

}  // namespace

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

std::optional<double> to_number(std::string_view text) {
  text = unsigned_part(text);
  double value = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (end != text.data() + text.size() || text.empty()) return std::nullopt;
  if (code == std::errc::result_out_of_range) {
    const bool tiny = text.find("e-") != text.npos || text.find("E-") != text.npos;
    return tiny ? 0 : std::numeric_limits<double>::infinity();
  }
  if (code != std::errc()) return std::nullopt;
  return value;
}

std::optional<std::int64_t> to_integer(std::string_view text) {
  text = unsigned_part(text);
  std::int64_t value = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (end != text.data() + text.size() || text.empty() || code != std::errc()) return std::nullopt;
  return value;
}

std::optional<double> to_timestamp(std::string_view text) {
  constexpr double kMilliseconds = 1e11, kMicroseconds = 1e14;
  const auto number = to_number(text);
  if (!number) return iso_time(trimmed(text));
  if (std::abs(*number) >= kMicroseconds) return *number / 1e6;
  return std::abs(*number) >= kMilliseconds ? *number / 1e3 : *number;
}

void append_number(std::string& text, float value) { append(text, value); }
void append_number(std::string& text, double value) { append(text, value); }

}  // namespace hyperllm::data
