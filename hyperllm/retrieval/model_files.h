// A trained model as files, the hand-over from training to evaluation and serving.
//
//   RUN/model/model.json      {"kind": "embeddings", "geometry": "lorentz", "curvature": 1}
//                             {"kind": "popularity"} | {"kind": "item_item"}
//   RUN/model/users.npy, items.npy   embeddings: rows in the dataset's order, final representations. lorentz:
//                             space coordinates only (time is sqrt(1/c + |x|^2)); poincare: ball coordinates;
//                             euclidean: ranked by inner product
//   RUN/model/item_scores.npy popularity: items x 1
//   RUN/model/weights.npy     item_item: items x items (EASE); a user's scores are the sum of the rows of the
//                             user's training items
#pragma once

#include <filesystem>
#include <memory>
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

// As a set of its own, in `folder`.
void save_embeddings_model(const std::filesystem::path& folder, const Space& space,
                           const artifact::Matrix& users, const artifact::Matrix& items);
void save_popularity_model(const std::filesystem::path& folder, std::span<const float> item_scores);
void save_item_item_model(const std::filesystem::path& folder, const artifact::Matrix& weights);

// `train` gives the users' histories (used by item_item) and the expected shape. Throws kIo, kInvalidData
// (shapes that do not fit the dataset, unknown kind or geometry, non-finite values).
std::unique_ptr<Scorer> load_model(const std::filesystem::path& folder, const data::Csr& train);

}  // namespace hyperllm::retrieval
