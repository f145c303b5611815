// Text of unknown origin as valid UTF-8.
#pragma once

#include <string>
#include <string_view>

namespace hyperllm::data {

bool is_utf8(std::string_view text);

// `text` itself if it is valid UTF-8, else its bytes read as Windows-1252 (Latin-1 where that has no letter).
// A file of another encoding is converted as it is read: see open_bytes.
std::string to_utf8(std::string_view text);

// Appends the UTF-8 form of a Unicode code point; U+FFFD for what is none.
void append_code_point(std::string& text, char32_t code);

}  // namespace hyperllm::data
