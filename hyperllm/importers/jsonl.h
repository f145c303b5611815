// JSON and Python literals, by line or as a list: the same columns as in tables, nested fields by dotted paths.
#pragma once

#include <filesystem>

#include "hyperllm/importers/csv.h"

namespace hyperllm::importers {

// Throws kIo; kInvalidData: as read_ratings_csv, and what is no object, with position and reason.
void read_ratings_jsonl(const std::filesystem::path& path, const CsvColumns& columns, const Context& context,
                        RawInteractions& raw);

// Texts of wanted items, objects as in items.jsonl.
void read_items_jsonl(const std::filesystem::path& path, const CsvColumns& columns, const Context& context,
                      ItemCollector& items);

}  // namespace hyperllm::importers
