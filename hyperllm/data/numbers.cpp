#include "hyperllm/data/numbers.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <system_error>

namespace hyperllm::data {
namespace {

std::string_view unsigned_part(std::string_view text) {
  text = trimmed(text);
  if (text.size() > 1 && text[0] == '+' && text[1] != '-') text.remove_prefix(1);
  return text;
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

std::optional<double> to_decimal(std::string_view text, bool comma) {
  text = trimmed(text);
  const char point = comma ? ',' : '.', group = comma ? '.' : ',';
  if (text.find_first_of(comma ? ",." : ",'\xA0\xC2 ") == text.npos) return to_number(text);
  std::string plain;
  std::size_t digits = 0;  // since the last group mark
  bool grouped = false, whole = true;
  for (const char letter : text) {
    const bool mark = letter == group || letter == '\'' || letter == ' ' || letter == '\xA0';
    if (letter == '\xC2') continue;  // of a no-break space in UTF-8
    if (mark && whole) {
      if (digits == 0 || (grouped ? digits != 3 : digits > 3)) return std::nullopt;
      grouped = true;
      digits = 0;
      continue;
    }
    if (letter == point && whole) {
      if (grouped && digits != 3) return std::nullopt;
      whole = false;
      plain += '.';
      continue;
    }
    digits += letter >= '0' && letter <= '9';
    plain += letter;
  }
  if (whole && grouped && digits != 3) return std::nullopt;
  return to_number(plain);
}

void append_number(std::string& text, float value) { append(text, value); }
void append_number(std::string& text, double value) { append(text, value); }

}  // namespace hyperllm::data
