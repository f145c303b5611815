// An item's text as a JSON object, the form of a line of items.jsonl.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "hyperllm/data/texts.h"

namespace hyperllm::data {

// A JSON value as one text: strings as they are, numbers as written, lists joined by ", ", null as "",
// objects as "key: value; key: value". What lies deeper than 32 levels is left out.
std::string json_text(const nlohmann::json& value);

// Category paths from a list of paths, one path (a list of strings) or one string; anything else is no path.
std::vector<std::vector<std::string>> json_paths(const nlohmann::json& value);

// Reads "title", "brand", "categories", "description"; every other field goes to `other`. The id (text or
// number) is taken from the field called `id_field` and is "" if there is none.
ItemText item_from_json(const nlohmann::json& object, std::string_view id_field = "id");

nlohmann::ordered_json item_to_json(const ItemText& item);

}  // namespace hyperllm::data
