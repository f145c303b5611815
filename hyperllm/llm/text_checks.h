// Cheap tests that a text is prose in the language that was asked for, not a model's hiccup.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace hyperllm::llm {

// Languages that can be told from one another: English, German, French, Spanish, Italian, Portuguese, Dutch
// (by their small words), Russian, Greek, Arabic, Hebrew, Hindi, Thai, Chinese, Japanese, Korean (by script).
std::vector<std::string> known_languages();

// True if `text` is clearly in another language than `language`: other letters, or the small words of another
// language. Short texts (fewer than 8 words), unknown languages and doubtful cases are never called wrong.
bool wrong_language(std::string_view text, std::string_view language);

// True if a phrase of the text, one word or more, is repeated to the point that the text says nothing new: a
// phrase that comes four times in a row (six for a single word), or fewer than a third of the word triples
// being distinct in a text of 24 words or more.
bool repetition_loop(std::string_view text);

}  // namespace hyperllm::llm
