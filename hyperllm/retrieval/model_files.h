// A trained model as files, the hand-over from training to evaluation and serving.
//
//   RUN/model/model.json      {"kind": "embeddings", "geometry": "lorentz", "curvature": 1}
//                             {"kind": "popularity"} | {"kind": "item_item"}
//                             {"kind": "sparse_item_item", "items": 6086}
//   RUN/model/users.npy, items.npy   embeddings: rows in the dataset's order, final representations. lorentz:
//                             space coordinates only (time is sqrt(1/c + |x|^2)); poincare: ball coordinates;
//                             euclidean: ranked by inner product
//   RUN/model/item_scores.npy popularity: items x 1
//   RUN/model/weights.npy     item_item: items x items (EASE); a user's scores are the sum of the rows of the
//                             user's training items
//   RUN/model/entries.npy     sparse_item_item: entries x 3, the weights that are not zero as row, column,
//                             weight, ascending by row and column
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "hyperllm/artifact/npy.h"
#include "hyperllm/base/file_set.h"
#include "hyperllm/data/csr.h"
#include "hyperllm/retrieval/scorer.h"

namespace hyperllm::retrieval {

// A model as part of the set of a run's files, each called `prefix` ("model/") and its name.
void add_embeddings_model(FileSet& files, const std::string& prefix, const Space& space,
                          const artifact::Matrix& users, const artifact::Matrix& items);
void add_popularity_model(FileSet& files, const std::string& prefix, std::span<const float> item_scores);
void add_item_item_model(FileSet& files, const std::string& prefix, const artifact::Matrix& weights);
// At most 2^24 items, whose ids float32 holds.
void add_sparse_item_item_model(FileSet& files, const std::string& prefix, const SparseWeights& weights);

// As a set of its own, in `folder`.
void save_embeddings_model(const std::filesystem::path& folder, const Space& space,
                           const artifact::Matrix& users, const artifact::Matrix& items);
void save_popularity_model(const std::filesystem::path& folder, std::span<const float> item_scores);
void save_item_item_model(const std::filesystem::path& folder, const artifact::Matrix& weights);
void save_sparse_item_item_model(const std::filesystem::path& folder, const SparseWeights& weights);

// `train` gives the users' histories (used by item-item models) and the expected shape. Throws kIo,
// kInvalidData (shapes that do not fit the dataset, unknown kind or geometry, non-finite values).
std::unique_ptr<Scorer> load_model(const std::filesystem::path& folder, const data::Csr& train);

// The items of a model of kind "embeddings"; none for another kind. Throws as load_model.
struct ItemPoints {
  Space space;
  artifact::Matrix rows;
};
std::optional<ItemPoints> load_item_points(const std::filesystem::path& folder, std::int64_t items);

}  // namespace hyperllm::retrieval
