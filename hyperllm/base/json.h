// JSON from files and servers that may be hostile.
//
// nlohmann::json reads any depth, but copies, compares, writes and visits by recursion: a text of a few
// hundred thousand '[' takes the stack away later, far from where it was read. So every text that comes from
// outside is read through parse_json, which stops at a depth that no honest file reaches.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace hyperllm {

// Nesting beyond which a text is refused.
inline constexpr int kMaxJsonDepth = 256;

// True if arrays and objects nest deeper than kMaxJsonDepth anywhere in `text`, whether it is valid JSON or
// not. One pass over the bytes; brackets inside strings do not count.
bool nests_too_deep(std::string_view text);

// The value of `text`, or a discarded one (`is_discarded()`) if it is no JSON or nests too deep. Never
// throws.
template <typename Json = nlohmann::json>
Json parse_json(std::string_view text);

// Compiled once, in json.cpp: the parser and the writer are most of what a file that uses them costs to build.
extern template nlohmann::json parse_json(std::string_view text);
extern template nlohmann::ordered_json parse_json(std::string_view text);

// What an error says of a text that is not the object it should be: that it nests too deep, else `otherwise`.
std::string json_problem(std::string_view text, std::string_view otherwise = "not a JSON object");

}  // namespace hyperllm

extern template class nlohmann::detail::serializer<nlohmann::json>;
extern template class nlohmann::detail::serializer<nlohmann::ordered_json>;
