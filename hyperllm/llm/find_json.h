// Finds the JSON object that a language model meant to write.
#pragma once

#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace hyperllm::llm {

// The text without the model's thinking: <think>, <thinking>, <reasoning> and <reflection> blocks, a block
// whose opening tag is missing included. A block that never ends takes the rest of the text with it.
std::string without_thinking(std::string_view completion);

struct FoundJson {
  nlohmann::json value;              // an object, or null if there is none
  std::vector<std::string> repairs;  // what had to be mended, for example "code fence", "truncated"
  std::size_t effort = 0;            // letters looked at

  bool found() const { return value.is_object(); }
  bool truncated() const;
};

// The object in `completion` with the most of `keys` (at the first level, any case); of equals, the last.
// Text around it, code fences and thinking are skipped. Mended: trailing and missing commas, comments, single
// or typographic quotes, bare keys, True/False/None, raw line breaks in strings, and an end cut off anywhere:
// an element that was cut in the middle is dropped, since half a word is worse than none, and what is open is
// closed. Takes time in proportion to the text, whatever stands in it: at most 16 letters are looked at for
// each one (and the text once more), then the search ends with what it has.
FoundJson find_json(std::string_view completion, std::span<const std::string_view> keys);

}  // namespace hyperllm::llm
