// Values of JSON that servers send, read without trust: what is missing, null or of another type is no error
// of ours.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace hyperllm::llm {

// The member of an object, null if `holder` is null, no object, or has no such member.
const nlohmann::json* member(const nlohmann::json* holder, const char* name);

// The text of a string, "" for null and for anything else.
std::string_view text_in(const nlohmann::json* value);

// A whole number, also one written as 3.0 or "3"; nullopt for anything else and for what does not fit.
std::optional<std::int64_t> whole_number(const nlohmann::json* value);

// A count of tokens that a server told, or `estimate` (rounded) if it told none, or nonsense: less than 1 or
// more than `most`. Servers count as they like, but no server may stop a budget from counting.
std::int64_t believable(std::optional<std::int64_t> told, double estimate, double most);

// The largest believable count for a prompt of so many tokens by our estimate: templates and repairs add
// some.
double most_prompt_tokens(double estimate);

// Words of a server for people: on one line, without control characters, at most `most` bytes and "..." if
// there was more.
std::string excerpt(std::string_view words, std::size_t most);

// A sentence as part of another one.
std::string without_full_stop(std::string sentence);

}  // namespace hyperllm::llm
