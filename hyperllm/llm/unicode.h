// The little of Unicode that tags and replies need: code points, canonical composition, case.
#pragma once

#include <string>
#include <string_view>

namespace hyperllm::llm {

// UTF-8 to code points; every malformed byte becomes U+FFFD.
std::u32string to_code_points(std::string_view utf8);
std::string to_utf8(std::u32string_view code_points);

// Valid UTF-8 with malformed bytes replaced by U+FFFD, so that it can be put in JSON or a database.
std::string valid_utf8(std::string_view bytes);

// Canonical composition of letter + combining mark pairs, full-width forms to ASCII, typographic quotes and
// dashes to ASCII, every kind of space to one blank, zero-width characters and soft hyphens removed.
std::u32string composed(std::u32string_view code_points);

// Lower case, letter by letter, in any script.
char32_t lower(char32_t c);
bool is_letter(char32_t c);

// What two spellings of one phrase share: composed, lower case, words separated by one blank, punctuation
// other than & + # and apostrophes or hyphens within a word removed.
std::string folded(std::string_view utf8);

}  // namespace hyperllm::llm
