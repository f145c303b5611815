#include "hyperllm/llm/find_json.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <optional>

#include "hyperllm/base/json.h"

namespace hyperllm::llm {
namespace {

using nlohmann::json;

constexpr int kMaxDepth = 64;
// Letters looked at for each letter of the text, at most. Objects inside objects are read once for each level
// around them, which no honest reply has many of.
constexpr std::size_t kMostEffort = 16;
constexpr std::array<std::string_view, 4> kThinkingTags = {"think", "thinking", "reasoning", "reflection"};

bool starts_with_at(std::string_view text, std::size_t at, std::string_view what) {
  return text.substr(std::min(at, text.size()), what.size()) == what;
}

// Letters looked at, and how many there may be: readers that begin at every brace could else look at the
// whole text each time ("{/*" repeated).
struct Effort {
  std::size_t spent = 0, most = 0;
  bool over() const { return spent > most; }
};

// A reader of JSON as models write it. Never throws; notes what it mended.
class LenientReader {
 public:
  LenientReader(std::string_view text, Effort& effort) : text_(text), effort_(effort) {}

  // The object that opens at `at`; nullopt if what stands there is no object at all.
  std::optional<json> object_at(std::size_t at) {
    at_ = at;
    json value;
    const bool whole = read_value(value, 0);
    effort_.spent += 1 + at_ - at;  // the cursor never goes back
    if (!whole || !value.is_object() || value.empty()) return std::nullopt;
    return value;
  }
  std::size_t end() const { return at_; }
  const std::vector<std::string>& repairs() const { return repairs_; }

 private:
  void note(const char* repair) {
    if (std::find(repairs_.begin(), repairs_.end(), repair) == repairs_.end()) repairs_.emplace_back(repair);
  }
  bool cut() const { return at_ >= text_.size(); }
  char peek() const { return cut() ? '\0' : text_[at_]; }

  void skip_space() {
    while (!cut()) {
      if (std::isspace(static_cast<unsigned char>(peek()))) {
        ++at_;
      } else if (starts_with_at(text_, at_, "//") || peek() == '#') {
        note("comment");
        at_ = std::min(text_.find('\n', at_), text_.size());
      } else if (starts_with_at(text_, at_, "/*")) {
        note("comment");
        const std::size_t close = text_.find("*/", at_ + 2);
        at_ = close == std::string_view::npos ? text_.size() : close + 2;
      } else {
        return;
      }
    }
  }

  // False if nothing usable could be read; what was cut off counts as unusable.
  bool read_value(json& value, int depth) {
    skip_space();
    if (cut()) return truncated();
    if (depth > kMaxDepth) return false;
    if (peek() == '{') return read_object(value, depth);
    if (peek() == '[') return read_array(value, depth);
    if (quote_length() > 0) return read_string(value);
    return read_word(value);
  }

  bool truncated() {
    note("truncated");
    return false;
  }

  bool read_object(json& value, int depth) {
    value = json::object();
    ++at_;
    while (true) {
      skip_space();
      if (cut()) return note("truncated"), true;
      if (peek() == '}') return ++at_, true;
      if (peek() == ']') return true;  // a closing brace is missing; the list above ends here
      if (peek() == ',') {
        ++at_;
        skip_space();
        if (peek() == '}') note("trailing comma");
        continue;
      }
      json key;
      const bool bare = quote_length() == 0;
      if (bare ? !read_bare_key(key) : !read_string(key)) return cut();
      skip_space();
      if (cut()) return note("truncated"), true;
      if (peek() != ':') return false;
      ++at_;
      json member;
      if (!read_value(member, depth + 1)) return cut();
      value[key.get<std::string>()] = std::move(member);
      skip_space();
      if (!cut() && peek() != ',' && peek() != '}' && peek() != ']') note("missing comma");
    }
  }

  bool read_array(json& value, int depth) {
    value = json::array();
    ++at_;
    while (true) {
      skip_space();
      if (cut()) return note("truncated"), true;
      if (peek() == ']') return ++at_, true;
      if (peek() == '}') return true;  // a closing bracket is missing
      if (peek() == ',') {
        ++at_;
        skip_space();
        if (peek() == ']') note("trailing comma");
        continue;
      }
      json element;
      const std::size_t before = at_;
      const bool whole = read_value(element, depth + 1);
      // An object that was cut is kept only if the cut did not touch it.
      if (whole && !(cut() && text_[at_ - 1] != '}' && element.is_object()))
        value.push_back(std::move(element));
      if (cut()) return note("truncated"), true;
      if (!whole || at_ == before) return false;
      skip_space();
      if (!cut() && peek() != ',' && peek() != ']' && peek() != '}') note("missing comma");
    }
  }

  // Bytes of the quotation mark at the cursor, 0 if there is none.
  std::size_t quote_length() const {
    if (peek() == '"' || peek() == '\'') return 1;
    for (const std::string_view mark : {"\u201c", "\u201d"})
      if (starts_with_at(text_, at_, mark)) return mark.size();
    return 0;
  }

  // Where the string that opens at the cursor closes: the same mark, or any typographic one.
  bool closes(std::string_view open) const {
    if (open.size() == 1) return peek() == open[0];
    return quote_length() == open.size() || peek() == '"';
  }

  bool read_string(json& value) {
    const std::string_view open = text_.substr(at_, quote_length());
    if (open != "\"") note("quotes");
    at_ += open.size();
    std::string out;
    while (!cut()) {
      if (closes(open)) {
        at_ += quote_length();
        value = std::move(out);
        return true;
      }
      if (peek() == '\\') {
        ++at_;
        if (!read_escape(out)) return truncated();
      } else {
        if (peek() == '\n') note("line break in a string");
        out += text_[at_++];
      }
    }
    return truncated();
  }

  bool read_escape(std::string& out) {
    if (cut()) return false;
    const char c = text_[at_++];
    if (c == 'u') return read_unicode(out);
    static constexpr std::string_view kFrom = "nrtbf", kTo = "\n\r\t\b\f";
    const std::size_t which = kFrom.find(c);
    out += which == std::string_view::npos ? c : kTo[which];
    return true;
  }

  // \uXXXX, a surrogate pair included. Decoded by the strict parser; nonsense becomes nothing.
  bool read_unicode(std::string& out) {
    std::size_t length = 4;
    if (at_ + 4 > text_.size()) return false;
    if (starts_with_at(text_, at_ + 4, "\\u") && (peek() == 'd' || peek() == 'D')) length = 10;
    if (at_ + length > text_.size()) return false;
    const std::string literal = "\"\\u" + std::string(text_.substr(at_, length)) + "\"";
    const json decoded = parse_json(literal);
    at_ += decoded.is_string() ? length : 4;
    if (decoded.is_string()) out += decoded.get<std::string>();
    return true;
  }

  bool read_bare_key(json& value) {
    const std::size_t start = at_;
    while (!cut() && (std::isalnum(static_cast<unsigned char>(peek())) || peek() == '_' || peek() == '-'))
      ++at_;
    if (at_ == start) return false;
    note("quotes");
    value = text_.substr(start, at_ - start);
    return true;
  }

  bool read_word(json& value) {
    const std::size_t start = at_;
    while (!cut() && std::string_view(",]}\n\r\t :").find(peek()) == std::string_view::npos) ++at_;
    const std::string_view word = text_.substr(start, at_ - start);
    if (word.empty()) return false;
    if (cut()) return truncated();
    if (word == "True" || word == "False" || word == "None") {
      note("Python literal");
      value = word == "None" ? json() : json(word == "True");
      return true;
    }
    value = parse_json(word);
    if (!value.is_discarded()) return true;
    value = nullptr;  // NaN, ..., a placeholder: a gap, not a value
    note("unreadable value");
    return true;
  }

  std::string_view text_;
  Effort& effort_;
  std::size_t at_ = 0;
  std::vector<std::string> repairs_;
};

std::size_t keys_present(const json& value, std::span<const std::string_view> keys) {
  std::size_t count = 0;
  for (const auto& [name, member] : value.items()) {
    std::string lower = name;
    std::transform(lower.begin(), lower.end(), lower.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    count += std::find(keys.begin(), keys.end(), lower) != keys.end();
  }
  return count;
}

}  // namespace

std::string without_thinking(std::string_view completion) {
  std::string text(completion);
  for (const std::string_view tag : kThinkingTags) {
    const std::string open = "<" + std::string(tag) + ">", close = "</" + std::string(tag) + ">";
    const std::string_view all = text;
    std::string kept;
    std::size_t at = 0;
    for (std::size_t end; (end = all.find(close, at)) != std::string_view::npos; at = end + close.size()) {
      const std::string_view before = all.substr(at, end - at);
      const std::size_t begin = before.find(open);
      if (begin == std::string_view::npos)
        kept.clear();  // the opening tag is missing: all so far was thinking
      else
        kept += before.substr(0, begin);
    }
    const std::string_view rest = all.substr(at);
    kept += rest.substr(0, rest.find(open));
    text = std::move(kept);
  }
  return text;
}

bool FoundJson::truncated() const {
  return std::find(repairs.begin(), repairs.end(), "truncated") != repairs.end();
}

FoundJson find_json(std::string_view completion, std::span<const std::string_view> keys) {
  const std::string text = without_thinking(completion);
  FoundJson best;
  std::size_t best_keys = 0;
  Effort effort{.spent = 0, .most = kMostEffort * text.size()};
  for (std::size_t at = text.find('{'); at != std::string::npos && !effort.over(); at = text.find('{', at)) {
    LenientReader reader(text, effort);
    std::optional<json> value = reader.object_at(at);
    if (!value) {
      ++at;
      continue;
    }
    const std::size_t present = keys_present(*value, keys);
    if (!best.found() || present >= best_keys) {
      best = {std::move(*value), reader.repairs(), 0};
      best_keys = present;
    }
    // An object without the keys may be a wrapper around the one that has them.
    at = present > 0 ? std::max(reader.end(), at + 1) : at + 1;
  }
  best.effort = effort.spent;
  if (text.size() != completion.size()) best.repairs.insert(best.repairs.begin(), "thinking");
  if (best.found() && text.find("```") != std::string::npos)
    best.repairs.insert(best.repairs.begin(), "code fence");
  return best;
}

}  // namespace hyperllm::llm
