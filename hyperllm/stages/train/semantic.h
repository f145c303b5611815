// Semantic embeddings (input of phase 1) and published phase-1 results (start of phase 2), as tensors.
#pragma once

#include <torch/types.h>

#include <filesystem>

#include "hyperllm/artifact/npy.h"
#include "hyperllm/data/dataset.h"
#include "hyperllm/manifold/curvature.h"

namespace hyperllm::stages::train {

// Throws kIo saying what to run unless FOLDER has users.npy and items.npy.
void require_embeddings(const std::filesystem::path& folder);

// d1 as users.npy's header has it; 0 if that cannot be read.
std::int64_t semantic_columns(const std::filesystem::path& folder);

// FOLDER/users.npy and items.npy stacked: (users + items) x d1. Throws kInvalidData naming file, what was
// found and what is needed if rows do not fit the dataset or the two dimensions differ.
torch::Tensor load_semantic(const std::filesystem::path& folder, const data::Dataset& dataset);

// FOLDER/items.npy. Throws kIo if it is not there, kInvalidData if its rows do not fit the dataset.
artifact::Matrix load_item_embeddings(const std::filesystem::path& folder, const data::Dataset& dataset);

// What load_semantic gives, as tangent vectors of `dim` columns. Files with dim + 1 columns are the released kind: column 0 is
// the time coordinate, not zero, and counts (negatively) in the norm of the exponential map, whose length is
// capped at max_radius.
torch::Tensor load_initial_tangents(const std::filesystem::path& folder, const data::Dataset& dataset,
                                    std::int64_t dim, double max_radius, manifold::Curvature curvature);

}  // namespace hyperllm::stages::train
