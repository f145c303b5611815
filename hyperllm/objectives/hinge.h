// The margin ranking loss where a space ranks by inner products.
#pragma once

#include <torch/types.h>

#include "hyperllm/manifold/fused.h"

namespace hyperllm::objectives {

// sum over the triplets of max(<a, n> - <a, p> + margin, 0), a float64 scalar. points: nodes x dim.
torch::Tensor hinge_on_inner_products(const torch::Tensor& points, const manifold::Triplets& triplets,
                                      double margin,
                                      manifold::HingeOver over = manifold::HingeOver::kAll);

}  // namespace hyperllm::objectives
