// RecBole's atomic files.
#pragma once

#include <filesystem>

#include "hyperllm/base/progress.h"
#include "hyperllm/data/importers/raw.h"

namespace hyperllm::data::importers {

// Reads NAME.inter, or NAME.train.inter, NAME.valid.inter and NAME.test.inter (their split is kept; they are
// RecBole's "benchmark files"), from a folder or from the path of one such file. Throws kIo, kInvalidData.
void read_recbole(const std::filesystem::path& path, const Context& context, RawInteractions& raw);

// Reads texts of wanted items from NAME.item: item_id, a title (`title`, `movie_title`, ...), brand,
// categories
// (`categories`, `class`, `genre`, ...: a comma-separated list is one path, words are one path each); other
// columns become other fields. Throws kIo, kInvalidData.
void read_recbole_items(const std::filesystem::path& path, const Context& context, ItemCollector& items);

// The only file of `folder` that ends in `suffix`; empty if there is none, kIo if there are several.
std::filesystem::path only_file(const std::filesystem::path& folder, std::string_view suffix);

}  // namespace hyperllm::data::importers
