// Python literals, as the metadata of Amazon Reviews 2014 is written: one dictionary a line.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>

namespace hyperllm::importers {

// The value of a literal of None, True, False, numbers, strings ('...', "...", with escapes and an optional u
// or b before them), lists, tuples and dictionaries with string or number keys (numbers become strings).
// Empty if `text` is anything else or nested deeper than 64 levels. Nothing is ever evaluated.
std::optional<nlohmann::json> parse_python_literal(std::string_view text);

}  // namespace hyperllm::importers
