#include "hyperllm/llm/read_values.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "hyperllm/llm/unicode.h"

namespace hyperllm::llm {

using nlohmann::json;

const json* member(const json* holder, const char* name) {
  if (!holder || !holder->is_object()) return nullptr;
  const auto found = holder->find(name);
  return found == holder->end() ? nullptr : &*found;
}

std::string_view text_in(const json* value) {
  return value && value->is_string() ? std::string_view(value->get_ref<const std::string&>()) : "";
}

std::optional<std::int64_t> whole_number(const json* value) {
  constexpr double kExact = 9007199254740992.0;  // beyond, a double is no count
  if (!value) return std::nullopt;
  if (value->is_number_unsigned() && value->get<std::uint64_t>() > INT64_MAX) return std::nullopt;
  if (value->is_number_integer()) return value->get<std::int64_t>();
  if (value->is_number_float()) {
    const double number = value->get<double>();
    if (!(std::abs(number) <= kExact) || number != std::floor(number)) return std::nullopt;
    return static_cast<std::int64_t>(number);
  }
  const std::string_view text = text_in(value);
  std::int64_t number = 0;
  const char* end = text.data() + text.size();
  const auto read = std::from_chars(text.data(), end, number);
  if (text.empty() || read.ec != std::errc{} || read.ptr != end) return std::nullopt;
  return number;
}

std::int64_t believable(std::optional<std::int64_t> told, double estimate, double most) {
  if (told && *told >= 1 && static_cast<double>(*told) <= most) return *told;
  return static_cast<std::int64_t>(std::llround(estimate));
}

double most_prompt_tokens(double estimate) { return 8 * estimate + 10000; }

std::string excerpt(std::string_view words, std::size_t most) {
  std::string out;
  bool gap = false;
  const std::string_view front = words.substr(0, 4 * most);
  for (const char32_t c : to_code_points(valid_utf8(front))) {
    // C1 controls and those of bidirectional text can turn a terminal's line round as well.
    const bool blank = c <= ' ' || (c >= 0x7F && c <= 0xA0) || (c >= 0x200B && c <= 0x200F) ||
                       (c >= 0x2028 && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069) || c == 0xFEFF;
    if (blank) {
      gap = !out.empty();
      continue;
    }
    const std::string letter = (gap ? " " : "") + to_utf8(std::u32string(1, c));
    if (out.size() + letter.size() > most) return out + "...";
    out += letter;
    gap = false;
  }
  return out + (front.size() < words.size() ? "..." : "");
}

std::string without_full_stop(std::string sentence) {
  if (sentence.ends_with('.') && !sentence.ends_with("...")) sentence.pop_back();
  return sentence;
}

}  // namespace hyperllm::llm
