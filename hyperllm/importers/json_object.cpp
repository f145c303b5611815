#include "hyperllm/importers/json_object.h"

#include <algorithm>
#include <cctype>
#include <utility>

#include "hyperllm/base/error.h"
#include "hyperllm/base/json.h"
#include "hyperllm/data/json_scan.h"
#include "hyperllm/data/numbers.h"
#include "hyperllm/data/utf8.h"
#include "hyperllm/importers/python_literal.h"

namespace hyperllm::importers {
namespace {

// The four hexadecimal digits behind `\u` at `at`; 0 if they are not there.
unsigned code_unit(std::string_view text, std::size_t at) {
  if (at + 6 > text.size() || text[at] != '\\' || text[at + 1] != 'u') return 0;
  unsigned code = 0;
  for (std::size_t i = at + 2; i < at + 6; ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (!std::isxdigit(c)) return 0;
    code = code * 16 + (std::isdigit(c) ? c - '0' : std::tolower(c) - 'a' + 10);
  }
  return code;
}

// NaN and infinities as null, halves of surrogate pairs as U+FFFD.
std::string mended(std::string_view text, std::int64_t& replaced) {
  std::string result;
  bool inside = false;
  for (std::size_t i = 0; i < text.size();) {
    if (inside && text[i] == '\\') {
      const unsigned code = code_unit(text, i);
      const bool low_follows = code >= 0xD800 && code < 0xDC00 && code_unit(text, i + 6) >= 0xDC00 &&
                               code_unit(text, i + 6) < 0xE000;
      if (code >= 0xD800 && code < 0xE000 && !low_follows) {
        result += "\\ufffd";
        ++replaced;
        i += 6;
        continue;
      }
      const std::size_t size = low_follows ? 12 : std::min<std::size_t>(2, text.size() - i);
      result += text.substr(i, size);
      i += size;
      continue;
    }
    if (text[i] == '"') inside = !inside;
    bool word = false;
    if (!inside)
      for (const std::string_view name : {"-Infinity", "Infinity", "NaN", "nan", "-inf", "inf"})
        if (!word && text.substr(i).starts_with(name)) {
          result += "null";
          i += name.size();
          word = true;
        }
    if (!word) result += text[i++];
  }
  return result;
}

// What nlohmann says, without its own numbers: "at byte 17: invalid literal".
std::string reason_of(std::string_view line) {
  if (nests_too_deep(line)) return json_problem(line);
  if (!data::is_utf8(line)) return "not a JSON object: it is not UTF-8; give the file's encoding";
  try {
    const nlohmann::json value = nlohmann::json::parse(line.begin(), line.end());
    return std::string("not a JSON object but ") + (value.is_array() ? "an " : "a ") + value.type_name();
  } catch (const nlohmann::json::parse_error& error) {
    std::string why = error.what();
    const std::size_t at = why.find("syntax error");
    why = at == why.npos ? why : why.substr(at);
    if (const std::size_t last = why.find("; last read"); last != why.npos) why.resize(last);
    return "not a JSON object: at byte " + std::to_string(error.byte) + ", " + why;
  } catch (const nlohmann::json::exception&) {
    return "not a JSON object: a number is too large";
  }
}

constexpr std::string_view kBlanks = " \t\r\n";

std::string_view without_blanks(std::string_view text) {
  text.remove_prefix(std::min(text.find_first_not_of(kBlanks), text.size()));
  return text;
}

bool is_closed(std::string_view text) {
  data::JsonScan scan;
  for (const char letter : text) scan.take(letter);
  return !scan.open();
}

// An object by line, as against a list, or objects over many lines. A line that is cut off is still a line
// where the next begins an object.
bool holds_lines(std::string_view start, bool whole) {
  start = without_blanks(start);
  if (start.starts_with('[')) return false;
  const std::size_t end = start.find('\n');
  if (end == start.npos) return whole;
  return is_closed(start.substr(0, end)) || without_blanks(start.substr(end)).starts_with('{');
}

}  // namespace

bool begins_like_json(std::string_view start) {
  start = without_blanks(start);
  if (start.starts_with('{')) return true;
  if (!start.starts_with('[')) return false;
  start = without_blanks(start.substr(1));
  return start.empty() || std::string_view("{[]").find(start[0]) != std::string_view::npos;
}

bool looks_like_json(const std::filesystem::path& path, const std::string& encoding) {
  constexpr std::size_t kStart = 1 << 12;
  return begins_like_json(data::LineReader(path, encoding).ahead(kStart));
}

ObjectReader::ObjectReader(const std::filesystem::path& path, const std::string& encoding)
    : lines_(path, encoding) {
  constexpr std::size_t kStart = 1 << 16;
  const std::string_view start = lines_.ahead(kStart);
  by_lines_ = holds_lines(start, start.size() < kStart);
}

bool ObjectReader::next() {
  if (by_lines_) {
    do {
      if (!lines_.next(text_)) return false;
      text_ = data::trimmed(text_);
    } while (text_.empty());
    if (text_.ends_with("},")) text_.remove_suffix(1);
  } else if (!lines_.next_value(text_)) {
    return false;
  }
  object_ = parse_object(text_);
  return true;
}

TextObject parse_object(std::string_view line) {
  TextObject result;
  result.value = parse_json(line);
  if (result.value.is_object()) return result;
  if (nests_too_deep(line)) {
    result.problem = json_problem(line);
    return result;
  }
  std::int64_t replaced = 0;
  result.value = parse_json(mended(line, replaced));
  if (result.value.is_object()) {
    result.replaced = replaced;
    return result;
  }
  if (auto literal = parse_python_literal(line); literal && literal->is_object()) {
    result.value = std::move(*literal);
    return result;
  }
  result.problem = reason_of(line);
  return result;
}

}  // namespace hyperllm::importers
