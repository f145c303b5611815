#include "hyperllm/importers/python_literal.h"

#include <cctype>
#include <charconv>
#include <string>
#include <utility>

#include "hyperllm/data/numbers.h"
#include "hyperllm/data/utf8.h"

namespace hyperllm::importers {
namespace {

using nlohmann::json;

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  std::optional<json> parse() {
    json result;
    if (!value(result, 0)) return std::nullopt;
    skip_spaces();
    if (at_ != text_.size()) return std::nullopt;
    return result;
  }

 private:
  static constexpr int kDeepest = 64;

  char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  void skip_spaces() {
    while (at_ < text_.size() && std::isspace(static_cast<unsigned char>(text_[at_]))) ++at_;
  }
  bool accept(char wanted) {
    skip_spaces();
    if (peek() != wanted || at_ == text_.size()) return false;
    ++at_;
    return true;
  }

  bool value(json& out, int depth) {
    if (depth > kDeepest) return false;
    if (accept('{')) return dictionary(out, depth);
    if (accept('[')) return list(out, ']', depth);
    if (accept('(')) return list(out, ')', depth);
    if (at_string()) {
      std::string text;
      if (!string(text)) return false;
      out = std::move(text);
      return true;
    }
    for (auto&& [word, constant] :
         {std::pair<std::string_view, json>{"None", nullptr}, {"True", true}, {"False", false}})
      if (text_.substr(at_).starts_with(word)) {
        at_ += word.size();
        out = constant;
        return true;
      }
    return number(out);
  }

  bool list(json& out, char close, int depth) {
    out = json::array();
    while (!accept(close)) {
      json entry;
      if (!value(entry, depth + 1)) return false;
      out.push_back(std::move(entry));
      if (!accept(',')) return accept(close);
    }
    return true;
  }

  bool dictionary(json& out, int depth) {
    out = json::object();
    while (!accept('}')) {
      json key, entry;
      if (!value(key, depth + 1) || key.is_structured() || !accept(':') || !value(entry, depth + 1))
        return false;
      out[key.is_string() ? key.get<std::string>() : key.dump()] = std::move(entry);
      if (!accept(',')) return accept('}');
    }
    return true;
  }

  bool at_string() {
    skip_spaces();
    std::size_t i = at_;
    if (i < text_.size() && (text_[i] == 'u' || text_[i] == 'b')) ++i;
    return i < text_.size() && (text_[i] == '\'' || text_[i] == '"');
  }

  bool string(std::string& out) {
    if (peek() == 'u' || peek() == 'b') ++at_;
    const char quote = text_[at_++];
    while (at_ < text_.size()) {
      const char letter = text_[at_++];
      if (letter == quote) return true;
      if (letter != '\\') {
        out += letter;
      } else if (!escape(out)) {
        return false;
      }
    }
    return false;
  }

  bool escape(std::string& out) {
    if (at_ == text_.size()) return false;
    const char letter = text_[at_++];
    switch (letter) {
      case 'n':
        out += '\n';
        return true;
      case 't':
        out += '\t';
        return true;
      case 'r':
        out += '\r';
        return true;
      case '0':
        out += ' ';
        return true;
      case '\\':
      case '\'':
      case '"':
        out += letter;
        return true;
      case 'x':
        return code_point(out, 2);
      case 'u':
        return code_point(out, 4);
      case 'U':
        return code_point(out, 8);
      default:
        out += '\\';
        out += letter;
        return true;  // as Python does
    }
  }

  bool code_point(std::string& out, std::size_t digits) {
    std::uint32_t code = 0;
    if (!hexadecimal(digits, code)) return false;
    const std::size_t after = at_;
    std::uint32_t low = 0;
    if (code >= 0xD800 && code < 0xDC00 && text_.substr(at_).starts_with("\\u")) {  // a surrogate pair
      at_ += 2;
      if (hexadecimal(4, low) && low >= 0xDC00 && low < 0xE000) {
        code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
      } else {
        at_ = after;
      }
    }
    data::append_code_point(out, code < 0x20 ? U' ' : static_cast<char32_t>(code));
    return true;
  }

  bool hexadecimal(std::size_t digits, std::uint32_t& code) {
    if (text_.size() - at_ < digits) return false;
    const char* const begin = text_.data() + at_;
    const auto [end, error] = std::from_chars(begin, begin + digits, code, 16);
    at_ += digits;
    return error == std::errc() && end == begin + digits;
  }

  bool number(json& out) {
    const std::size_t end = std::min(text_.find_first_not_of("+-.0123456789eE", at_), text_.size());
    const std::string_view digits = text_.substr(at_, end - at_);
    at_ = end;
    if (const auto integer = data::to_integer(digits)) {
      out = *integer;
      return true;
    }
    const auto real = data::to_number(digits);
    if (real) out = *real;
    return real.has_value();
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

}  // namespace

std::optional<json> parse_python_literal(std::string_view text) { return Parser(text).parse(); }

}  // namespace hyperllm::importers
