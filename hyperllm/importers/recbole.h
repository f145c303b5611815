// RecBole's atomic files.
#pragma once

#include <filesystem>

#include "hyperllm/base/progress.h"
#include "hyperllm/importers/csv.h"
#include "hyperllm/importers/raw.h"

namespace hyperllm::importers {

// Reads, from a folder or from the path of one such file,
//   NAME.inter                                              or
//   NAME.train.inter, NAME.valid.inter, NAME.test.inter     RecBole's "benchmark files": their split is kept;
//                                                           the validation part may be missing
// Throws kIo, kInvalidData.
void read_recbole(const std::filesystem::path& path, const CsvColumns& columns, const Context& context,
                  RawInteractions& raw);
void read_recbole(const std::filesystem::path& path, const Context& context, RawInteractions& raw);

// Reads texts of wanted items from NAME.item: `item_id` or what `columns` or common names say, a title
// (`title`, `movie_title`, ...), brand, categories (`categories`, `class`, `genre`, ...: words are one each
// where nothing else separates them); other columns become other fields. Throws kIo, kInvalidData.
void read_recbole_items(const std::filesystem::path& path, const CsvColumns& columns, const Context& context,
                        ItemCollector& items);
void read_recbole_items(const std::filesystem::path& path, const Context& context, ItemCollector& items);

// The only file of `folder` that ends in `suffix`; empty if there is none, kIo if there are several.
std::filesystem::path only_file(const std::filesystem::path& folder, std::string_view suffix);

}  // namespace hyperllm::importers
