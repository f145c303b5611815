// JSON lines, and Python literals by line: the same columns as in tables, nested fields by dotted paths.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "hyperllm/importers/csv.h"

namespace hyperllm::importers {

// Throws kIo; kInvalidData: as read_ratings_csv, and a line that is no object, with position and reason.
void read_ratings_jsonl(const std::filesystem::path& path, const CsvColumns& columns, const Context& context,
                        RawInteractions& raw);

// Texts of wanted items, each line an object as in items.jsonl.
void read_items_jsonl(const std::filesystem::path& path, const CsvColumns& columns, const Context& context,
                      ItemCollector& items);

// Whether the first line that is not empty begins like an object or a list.
bool looks_like_json(const std::filesystem::path& path, const std::string& encoding = "");

// The object that a line holds: JSON, JSON with NaN or Infinity (which become null) or half surrogate pairs
// (which become U+FFFD and are counted in `replaced`), or a Python dictionary. Otherwise what is wrong, and
// where.
struct LineObject {
  nlohmann::json value;
  std::string problem;  // empty: value is an object
  std::int64_t replaced = 0;
};
LineObject parse_object(std::string_view line);

}  // namespace hyperllm::importers
