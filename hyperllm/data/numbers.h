// Numbers in text files: read strictly, written so that they read back equal.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace hyperllm::data {

std::string_view trimmed(std::string_view text);  // without spaces and tabs at both ends

// The whole of `text` as a decimal number (spaces around it and a leading '+' are fine); empty otherwise.
// "nan" and "inf" are numbers here and come back as such; so does 1e999, as infinity.
std::optional<double> to_number(std::string_view text);
std::optional<std::int64_t> to_integer(std::string_view text);

// The same for numbers as people write them: "1,234.5" and "1 234.5", or with a decimal comma "1.234,5".
std::optional<double> to_decimal(std::string_view text, bool comma);

// Shortest text that reads back to the same value.
void append_number(std::string& text, float value);
void append_number(std::string& text, double value);

}  // namespace hyperllm::data
