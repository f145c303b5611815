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

// A point in time as seconds since 1970: a number of seconds (below 1e11), milliseconds (below 1e14) or
// microseconds, or an ISO 8601 date `2023-04-30`, with a time `2023-04-30T17:05:09.25` (or a space for the
// T), with `Z`, `+02:00` or nothing (UTC) behind it. Empty for anything else; may be NaN or infinite.
std::optional<double> to_timestamp(std::string_view text);

// Shortest text that reads back to the same value.
void append_number(std::string& text, float value);
void append_number(std::string& text, double value);

}  // namespace hyperllm::data
