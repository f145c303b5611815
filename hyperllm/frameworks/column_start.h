// ID embeddings that start at the first columns of semantic embeddings.
#pragma once

#include <torch/types.h>

#include "hyperllm/models/backbone.h"

namespace hyperllm::frameworks {

struct StartDistances {
  double users = 0.74, items = 1.36;
};

// Tangent vectors of nodes x dim (dim: that of `random`), each row along the first columns of its row of
// `semantic` (nodes x d1), at the given distance from the origin of `space`; in a Euclidean space, of that
// length. Where there is nothing to follow, in a row of zeros and in columns beyond d1, it stays as in
// `random`.
torch::Tensor column_start(const torch::Tensor& semantic, const torch::Tensor& random,
                           const models::Nodes& nodes, const StartDistances& distances,
                           const models::Space& space);

}  // namespace hyperllm::frameworks
