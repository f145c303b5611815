// InfoNCE between two tables of points.
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <vector>

#include "hyperllm/manifold/space.h"

namespace hyperllm::objectives {

// (16): the sum of -log softmax_j(-d^2(x_i, y_j) / tau) at j = target[i], a float64 scalar. x: rows x dim, y:
// columns x dim, of `space`. In a Euclidean space d is the Euclidean distance.
torch::Tensor contrast(const torch::Tensor& x, const torch::Tensor& y,
                       const std::vector<std::int64_t>& target, double tau, const manifold::Space& space);

}  // namespace hyperllm::objectives
