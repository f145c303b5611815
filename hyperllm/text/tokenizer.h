// From plain text to terms: lower-cased words and pairs of neighbouring words.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace hyperllm::text {

// Words of `text` (UTF-8; invalid bytes separate words), lower-cased, in order, with "" where a phrase ends
// (at . , ; : ! ? | brackets, quotes, line ends and other punctuation except - / & + * _ # @ % and
// apostrophes).
//   - An apostrophe inside a word vanishes and a possessive 's is cut: women's -> women, L'Oreal -> loreal.
//   - A point between two digits stays: 3.4 oz -> 3.4, oz.
//   - Han, Hiragana and Katakana have no spaces: every code point is a word.
// Never starts or ends with "", never has two in a row. Stop words are still there.
std::vector<std::string> words(std::string_view text);

// Words without stop words, then, if `pairs`, every two words that were neighbours in one phrase, joined by
// one space. Duplicates stay: their number is the term frequency.
std::vector<std::string> terms(std::string_view text, bool pairs = true);

// All words joined by one space: two texts that differ only in case, spaces and punctuation have one form.
std::string normal_form(std::string_view text);

// True for frequent English words that tell nothing of a topic (a list of our own; lower case).
bool is_stop_word(std::string_view word);

}  // namespace hyperllm::text
