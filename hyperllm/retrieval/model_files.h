// A trained model as files, the hand-over from training to evaluation and serving.
//
// RUN/model/model.json names the kind and RUN/model/ holds its matrices:
//
//   model.json                                                      matrices
//   {"kind": "embeddings", "geometry": "lorentz", "curvature": 1}   users.npy, items.npy
//   {"kind": "popularity"}                                          item_scores.npy
//   {"kind": "item_item"}                                           weights.npy
//   {"kind": "sparse_item_item", "items": 6086}                     entries.npy
//   {"kind": "fusion", "members": [...]}                            none
//
//   users.npy, items.npy   final representations, rows in the dataset's order. lorentz: space coordinates
//                          only (time is sqrt(1/c + |x|^2)); poincare: ball coordinates; euclidean: ranked
//                          by inner product
//   item_scores.npy        items x 1
//   weights.npy            items x items (EASE); a user's scores are the sum of the rows of their training
//                          items
//   entries.npy            entries x 3: the weights that are not zero as row, column, weight, ascending by
//                          row and column
//
// A fusion (retrieval/fusion.h) holds no numbers of its own but names its members, whose hashes it checks:
//   {"kind": "fusion", "members": [{"run": "../../ease", "weight": 3, "files": {"model.json": HASH, ...}}, ...]}
// "run" is the member's run folder as seen from this model's folder.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

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

struct FusionMember {
  std::filesystem::path run;  // folder of a finished run
  std::int64_t weight = 1;    // 0 or more, in proportion to the sum
};
// Reads the members' files for their hashes; throws as model_files does.
void add_fusion_model(FileSet& files, const std::string& prefix, const std::vector<FusionMember>& members);

// As a set of its own, in `folder`.
void save_embeddings_model(const std::filesystem::path& folder, const Space& space,
                           const artifact::Matrix& users, const artifact::Matrix& items);
void save_popularity_model(const std::filesystem::path& folder, std::span<const float> item_scores);
void save_item_item_model(const std::filesystem::path& folder, const artifact::Matrix& weights);
void save_sparse_item_item_model(const std::filesystem::path& folder, const SparseWeights& weights);

// The files of the model in `folder`. Throws kIo if there is no model, kInvalidData (unknown kind).
std::vector<std::filesystem::path> model_files(const std::filesystem::path& folder);

// `train` gives the users' histories (used by item-item models) and the expected shape. Throws kIo,
// kInvalidData (shapes that do not fit the dataset, unknown kind or geometry, non-finite values; a fusion's
// member that is not what it was when the fusion was made).
std::unique_ptr<Scorer> load_model(const std::filesystem::path& folder, const data::Csr& train);

// The items of a model of kind "embeddings"; none for another kind. Throws as load_model.
struct ItemPoints {
  Space space;
  artifact::Matrix rows;
};
std::optional<ItemPoints> load_item_points(const std::filesystem::path& folder, std::int64_t items);

}  // namespace hyperllm::retrieval
