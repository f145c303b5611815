// Where a JSON value ends, letter by letter: brackets and quotes are followed, nothing else is checked.
#pragma once

#include <string_view>

namespace hyperllm::data {

class JsonScan {
 public:
  // Whether the value is over before `letter`.
  bool ends_before(char letter) const {
    const bool plain = taken_ && depth_ == 0 && quote_ == 0;
    return ended_ || (plain && std::string_view(",]\n").find(letter) != std::string_view::npos);
  }
  void take(char letter) {
    taken_ = true;
    if (escaped_) {
      escaped_ = false;
    } else if (quote_ != 0) {
      escaped_ = letter == '\\';
      if (letter == quote_) quote_ = 0;
    } else if (letter == '"' || letter == '\'') {  // Python writes both
      quote_ = letter;
    } else if (letter == '{' || letter == '[') {
      ++depth_;
    } else if (letter == '}' || letter == ']') {
      if (depth_ > 0) --depth_;
      ended_ = depth_ == 0;
    }
  }
  // Inside of brackets or quotes.
  bool open() const { return depth_ > 0 || quote_ != 0; }

 private:
  int depth_ = 0;
  char quote_ = 0;
  bool escaped_ = false, taken_ = false, ended_ = false;
};

}  // namespace hyperllm::data
