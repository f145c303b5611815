#include "hyperllm/text/tokenizer.h"

#include <utility>

#include "hyperllm/text/unicode.h"

namespace hyperllm::text {
namespace {

bool is_apostrophe(char32_t code) { return code == '\'' || code == 0x2019 || code == 0x2BC; }

// Separators that do not end a phrase: spaces, and what glues a compound.
bool joins(char32_t code) {
  constexpr std::string_view kGlue = " \t-/&+*_#@%^`~";
  if (code < 0x80) return kGlue.find(static_cast<char>(code)) != std::string_view::npos;
  return code == 0xA0 || code == 0xAD || code == 0xAE || code == 0xB0 || code == 0xB7 || code == 0x2122 ||
         (code >= 0x2000 && code <= 0x2012) || code == 0x202F || code == 0x3000;
}

class Splitter {
 public:
  explicit Splitter(std::string_view text) : text_(text) {}

  std::vector<std::string> run() {
    while (position_ < text_.size()) {
      const char32_t code = next_code_point(text_, position_);
      if (is_apostrophe(code) && !word_.empty()) {
        apostrophe();
      } else if (code == '.' && digit_ && next_is_digit()) {
        word_ += '.';
      } else if (!is_word(code)) {
        finish_word();
        if (!joins(code)) finish_phrase();
      } else if (is_ideograph(code)) {
        finish_word();
        append_utf8(word_, code);
        finish_word();
      } else {
        digit_ = is_digit(code);
        append_utf8(word_, to_lower(code));
      }
    }
    finish_word();
    if (!out_.empty() && out_.back().empty()) out_.pop_back();
    return std::move(out_);
  }

 private:
  char32_t peek(std::size_t& at) const { return at < text_.size() ? next_code_point(text_, at) : U' '; }

  bool next_is_digit() const {
    std::size_t at = position_;
    return is_digit(peek(at));
  }

  // Behind an apostrophe: "s" at a word's end is cut; letters go on as if nothing had been there.
  void apostrophe() {
    std::size_t at = position_;
    const char32_t letter = peek(at);
    const std::size_t behind = at;
    if ((letter == 's' || letter == 'S') && !is_word(peek(at))) {
      position_ = behind;
      finish_word();
    } else if (!is_word(letter)) {
      finish_word();
      finish_phrase();
    }
  }

  void finish_word() {
    digit_ = false;
    if (!word_.empty()) out_.push_back(std::exchange(word_, {}));
  }

  void finish_phrase() {
    if (!out_.empty() && !out_.back().empty()) out_.emplace_back();
  }

  std::string_view text_;
  std::size_t position_ = 0;
  std::string word_;
  bool digit_ = false;
  std::vector<std::string> out_;
};

}  // namespace

std::vector<std::string> words(std::string_view text) { return Splitter(text).run(); }

std::vector<std::string> terms(std::string_view text, bool pairs) {
  const std::vector<std::string> all = words(text);
  std::vector<std::string> out;
  out.reserve(all.size() * (pairs ? 2 : 1));
  const auto counts = [](const std::string& word) { return !word.empty() && !is_stop_word(word); };
  for (const std::string& word : all)
    if (counts(word)) out.push_back(word);
  if (!pairs) return out;
  for (std::size_t i = 1; i < all.size(); ++i)
    if (counts(all[i - 1]) && counts(all[i])) out.push_back(all[i - 1] + ' ' + all[i]);
  return out;
}

std::string normal_form(std::string_view text) {
  std::string out;
  for (const std::string& word : words(text)) {
    if (word.empty()) continue;
    if (!out.empty()) out += ' ';
    out += word;
  }
  return out;
}

}  // namespace hyperllm::text
