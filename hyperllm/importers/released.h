// The folders that the HyperLLM authors released: train_matrix.npz, val_matrix.npz, test_matrix.npz,
// id_to_tag.json, tag_to_item.json, tag_to_tag.json.
#pragma once

#include <filesystem>

#include "hyperllm/importers/source.h"

namespace hyperllm::importers {

bool is_released_folder(const std::filesystem::path& folder);

// Users and items are called "0", "1", ...; the split is kept; every row and column of the matrices stays, so
// that released embeddings fit. Tags have level 0, each undirected tag edge stands once (smaller id first),
// loops are dropped. Folders without the tag files give no tags. Throws kIo, kInvalidData.
void read_released(const std::filesystem::path& folder, Source& source);

}  // namespace hyperllm::importers
