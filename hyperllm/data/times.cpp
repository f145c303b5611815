#include "hyperllm/data/times.h"

#include <algorithm>
#include <cctype>
#include <chrono>
#include <cmath>
#include <ctime>
#include <vector>

#include "hyperllm/data/numbers.h"

namespace hyperllm::data {
namespace {

bool is_digit(char letter) { return letter >= '0' && letter <= '9'; }

std::string_view take_while(std::string_view& text, bool (*wanted)(char)) {
  std::size_t size = 0;
  while (size < text.size() && wanted(text[size])) ++size;
  const std::string_view taken = text.substr(0, size);
  text.remove_prefix(size);
  return taken;
}

int value_of(std::string_view digits) {
  int value = 0;
  for (const char digit : digits.substr(0, 9)) value = value * 10 + (digit - '0');
  return value;
}

std::optional<double> midnight(int year, int month, int day) {
  if (year < 0 || month < 1 || day < 1) return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year(year),
                                         std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day))};
  if (!date.ok()) return std::nullopt;
  return 86400.0 * static_cast<double>(std::chrono::sys_days(date).time_since_epoch().count());
}

// At most three numbers of one or two digits.
struct Small {
  int values[3];
  std::size_t count = 0;
  bool push(int value) {
    if (count == 3) return false;
    values[count++] = value;
    return true;
  }
  std::size_t size() const { return count; }
  bool empty() const { return count == 0; }
  int operator[](std::size_t i) const { return values[i]; }
};

// Reads a date and a time word by word.
class DateReader {
 public:
  DateReader(std::string_view text, TimeFormat::Order order) : text_(text), order_(order) {}

  std::optional<double> read() {
    while (!text_.empty())
      if (!word()) return std::nullopt;
    const auto day = date();
    if (!day) return std::nullopt;
    if (afternoon_ >= 0 && (clock_ < 0 || clock_ >= 13 * 3600)) return std::nullopt;
    double clock = std::max(clock_, 0.0);
    if (afternoon_ >= 0) clock = std::fmod(clock, 12 * 3600.0) + afternoon_ * 12 * 3600.0;
    return *day + clock - zone_;
  }
  // The two numbers that are day and month in some order; empty unless the text is such a date.
  std::vector<int> pair() {
    while (!text_.empty())
      if (!word()) return {};
    return month_ < 0 && !year_first_ && (year_ < 0 ? small_.size() == 3 : small_.size() == 2)
               ? std::vector<int>{small_[0], small_[1]}
               : std::vector<int>();
  }

 private:
  bool word() {
    const char first = text_[0];
    if (is_digit(first)) return digits();
    if (std::isalpha(static_cast<unsigned char>(first))) return letters();
    if (clock_ >= 0 && (first == '+' || first == '-') && text_.size() > 1 && is_digit(text_[1]))
      return zone(first == '-' ? -1 : 1);
    if (std::string_view(" ,-/.").find(first) == std::string_view::npos) return false;
    text_.remove_prefix(1);
    return true;
  }
  bool digits() {
    const std::string_view number = take_while(text_, is_digit);
    if (text_.starts_with(':')) return clock(number);
    if (number.size() == 4 && year_ < 0) {
      year_ = value_of(number);
      year_first_ = small_.empty() && month_ < 0;
      return true;
    }
    return number.size() <= 2 && small_.push(value_of(number));
  }
  bool clock(std::string_view hour) {
    text_.remove_prefix(1);
    const std::string_view minute = take_while(text_, is_digit);
    if (clock_ >= 0 || hour.size() > 2 || minute.size() != 2 || value_of(hour) > 23 || value_of(minute) > 59)
      return false;
    clock_ = value_of(hour) * 3600 + value_of(minute) * 60;
    if (!text_.starts_with(':')) return true;
    text_.remove_prefix(1);
    const auto seconds = to_number(take_while(text_, [](char c) { return is_digit(c) || c == '.'; }));
    if (!seconds || *seconds >= 61) return false;
    clock_ += *seconds;
    return true;
  }
  bool zone(double sign) {
    text_.remove_prefix(1);
    std::string_view hours = take_while(text_, is_digit), minutes;
    if (text_.starts_with(':')) {
      text_.remove_prefix(1);
      minutes = take_while(text_, is_digit);
    } else if (hours.size() == 4) {
      minutes = hours.substr(2);
      hours = hours.substr(0, 2);
    }
    if (hours.size() != 2 || (minutes.size() != 2 && !minutes.empty())) return false;
    zone_ = sign * (value_of(hours) * 3600 + value_of(minutes) * 60);
    return value_of(hours) < 24 && value_of(minutes) < 60;
  }
  bool letters() {
    std::string name;
    for (const char letter :
         take_while(text_, [](char c) { return std::isalpha(static_cast<unsigned char>(c)) != 0; }))
      name += static_cast<char>(std::tolower(static_cast<unsigned char>(letter)));
    if (name == "am" || name == "pm") {
      afternoon_ = name == "pm";
      return true;
    }
    for (const char* known : {"t", "z", "utc", "gmt", "st", "nd", "rd", "th", "at"})
      if (name == known) return !small_.empty() || year_ >= 0;
    static constexpr std::string_view kMonths[] = {"january",   "february", "march",    "april",
                                                   "may",       "june",     "july",     "august",
                                                   "september", "october",  "november", "december"};
    static constexpr std::string_view kDays[] = {"monday", "tuesday",  "wednesday", "thursday",
                                                 "friday", "saturday", "sunday"};
    if (name.size() < 3) return false;
    for (int i = 0; i < 12; ++i)
      if (kMonths[i].starts_with(name) || (i == 8 && name == "sept")) {
        const bool second = month_ >= 0;
        month_ = i + 1;
        return !second;
      }
    return std::any_of(std::begin(kDays), std::end(kDays),
                       [&](std::string_view day) { return day.starts_with(name); });
  }
  std::optional<double> date() {
    if (month_ >= 0) {
      if (year_ < 0 && small_.size() == 2) year_ = century(small_[1]);
      return small_.empty() || (small_.size() > 1 && year_ < 0) ? std::nullopt
                                                                : midnight(year_, month_, small_[0]);
    }
    if (year_first_) return small_.size() == 2 ? midnight(year_, small_[0], small_[1]) : std::nullopt;
    if (year_ < 0 && small_.size() == 3) {
      year_ = century(small_[2]);
      --small_.count;
    }
    if (year_ < 0 || small_.size() != 2) return std::nullopt;
    if (order_ == TimeFormat::Order::kUnknown) return std::nullopt;
    return order_ == TimeFormat::Order::kDayFirst ? midnight(year_, small_[1], small_[0])
                                                  : midnight(year_, small_[0], small_[1]);
  }
  static int century(int year) { return year > 99 ? -1 : year < 70 ? 2000 + year : 1900 + year; }

  std::string_view text_;
  TimeFormat::Order order_;
  int year_ = -1, month_ = -1;
  Small small_;
  bool year_first_ = false;
  double clock_ = -1, zone_ = 0;
  int afternoon_ = -1;
};

std::optional<double> digit_date(std::string_view text) {
  const auto part = [&](std::size_t at, std::size_t size) { return value_of(text.substr(at, size)); };
  const auto day = midnight(part(0, 4), part(4, 2), part(6, 2));
  if (!day || text.size() == 8) return day;
  if (part(8, 2) > 23 || part(10, 2) > 59 || part(12, 2) > 60) return std::nullopt;
  return *day + part(8, 2) * 3600 + part(10, 2) * 60 + part(12, 2);
}

double seconds_of(double number) {
  constexpr double kMilliseconds = 1e11, kMicroseconds = 1e14, kNanoseconds = 1e17;
  const double size = std::abs(number);
  if (size >= kNanoseconds) return number / 1e9;
  if (size >= kMicroseconds) return number / 1e6;
  return size >= kMilliseconds ? number / 1e3 : number;
}

std::optional<double> by_pattern(std::string_view text, const std::string& pattern) {
  const double unit = pattern == "s"    ? 1
                      : pattern == "ms" ? 1e3
                      : pattern == "us" ? 1e6
                      : pattern == "ns" ? 1e9
                                        : 0;
  if (unit > 0) {
    const auto number = to_number(text);
    return number ? std::optional(*number / unit) : std::nullopt;
  }
  std::tm parts{};
  parts.tm_mday = 1;
  const std::string whole(text);
  const char* rest = ::strptime(whole.c_str(), pattern.c_str(), &parts);
  if (!rest) return std::nullopt;
  double fraction = 0;
  if (*rest == '.') {
    const std::size_t size = std::string_view(rest + 1).find_first_not_of("0123456789");
    const std::string_view digits =
        std::string_view(rest).substr(0, size == std::string::npos ? size : size + 1);
    fraction = to_number("0" + std::string(digits)).value_or(0);
    rest += digits.size();
  }
  if (!trimmed(rest).empty() && trimmed(rest) != "Z" && trimmed(rest) != "UTC") return std::nullopt;
  const long east = parts.tm_gmtoff;
  parts.tm_gmtoff = 0;
  return static_cast<double>(::timegm(&parts)) + fraction - static_cast<double>(east);
}

std::optional<double> from(std::string_view text, TimeFormat::Order order) {
  text = trimmed(text);
  if (const auto number = to_number(text)) return seconds_of(*number);
  constexpr std::size_t kLongest = 64;
  if (text.size() > kLongest || text.starts_with('-')) return std::nullopt;
  return DateReader(text, order).read();
}

}  // namespace

std::optional<double> to_timestamp(std::string_view text) { return from(text, TimeFormat::Order::kUnknown); }

std::optional<double> TimeFormat::read(std::string_view text) const {
  text = trimmed(text);
  if (!pattern.empty()) return by_pattern(text, pattern);
  if (digits == Digits::kDate) return is_digit_date(text) ? digit_date(text) : std::nullopt;
  return from(text, order);
}

bool is_digit_date(std::string_view text) {
  text = trimmed(text);
  if (text.size() != 8 && text.size() != 14) return false;
  if (!std::all_of(text.begin(), text.end(), is_digit)) return false;
  const int year = value_of(text.substr(0, 4));
  return year >= 1900 && year < 2100 && digit_date(text).has_value();
}

TimeFormat::Order order_of(std::string_view text) {
  const std::vector<int> pair = DateReader(trimmed(text), TimeFormat::Order::kUnknown).pair();
  if (pair.empty() || (pair[0] > 12) == (pair[1] > 12)) return TimeFormat::Order::kUnknown;
  return pair[0] > 12 ? TimeFormat::Order::kDayFirst : TimeFormat::Order::kMonthFirst;
}

bool is_ambiguous_date(std::string_view text) {
  const std::vector<int> pair = DateReader(trimmed(text), TimeFormat::Order::kUnknown).pair();
  return !pair.empty() && pair[0] <= 12 && pair[1] <= 12 && pair[0] > 0 && pair[1] > 0;
}

}  // namespace hyperllm::data
