// Ratings and item texts out of an R data frame, one row an interaction.
#pragma once

#include <filesystem>
#include <string>

#include "hyperllm/base/progress.h"
#include "hyperllm/importers/csv.h"
#include "hyperllm/importers/raw.h"

namespace hyperllm::importers {

bool is_r_file(const std::filesystem::path& path);  // .rda .RData .rds .rdb

// Columns are named or recognised as in CSV files. Throws kIo; kInvalidData: see rdata.h; no such column; NA
// or a non-finite value where an id, a rating or a time belongs (file and row).
void read_r_ratings(const std::filesystem::path& path, const std::string& object, const CsvColumns& columns,
                    const Context& context, RawInteractions& raw);

// Texts of wanted items from the same data frame: every column but user, rating and time, as in item tables
// (see read_items_csv); the first row of an item counts.
void read_r_items(const std::filesystem::path& path, const std::string& object, const CsvColumns& columns,
                  const Context& context, ItemCollector& items);

}  // namespace hyperllm::importers
