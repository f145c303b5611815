// The little of Unicode that a word needs: decoding UTF-8, lower case, and what separates words. Independent
// of the process's locale.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace hyperllm::text {

// The code point that starts at text[position], and moves `position` behind it. A byte that is not valid
// UTF-8 (overlong forms and surrogates included) reads as U+FFFD and is one byte long.
char32_t next_code_point(std::string_view text, std::size_t& position);

void append_utf8(std::string& out, char32_t code);

// Simple lower case of Latin, Greek, Cyrillic, Armenian and full-width letters; every other code point stays.
char32_t to_lower(char32_t code);

// True for ASCII and full-width digits.
bool is_digit(char32_t code);

// True if `code` can be part of a word: letters, digits and combining marks; false for spaces, punctuation,
// symbols, emoji and U+FFFD. Outside the blocks of punctuation and symbols every code point counts as a
// letter.
bool is_word(char32_t code);

// True for scripts written without spaces (Han, Hiragana, Katakana): each code point is a word of its own.
bool is_ideograph(char32_t code);

}  // namespace hyperllm::text
