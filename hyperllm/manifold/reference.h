// Plain ATen forms of what kernels/ computes fused: the specification that tests compare against, the
// fallback for devices and types without a kernel, and the scalar functions that both manifolds share. Any
// floating type, differentiable.
#pragma once

#include <torch/types.h>

#include <cstdint>

#include "hyperllm/kernels/triplet.h"

namespace hyperllm::manifold {

// acosh(1 + t)^2 for t >= 0, elementwise, with its true derivative 2 acosh(1 + t) / sqrt(t (t + 2)), which is
// finite (2) at 0. Negative t (rounding) counts as 0.
torch::Tensor acosh1p_squared(const torch::Tensor& t);

// Euclidean inner product along the last dimension, kept.
torch::Tensor row_dot(const torch::Tensor& a, const torch::Tensor& b);

// |x| along the last dimension, kept; the gradient at 0 is 0 instead of NaN.
torch::Tensor safe_norm(const torch::Tensor& x);

namespace reference {

torch::Tensor expmap0(const torch::Tensor& v, double curvature, double max_radius);
torch::Tensor logmap0(const torch::Tensor& x, double curvature);

// v - 1 with v = -c <x,y>_L from space coordinates that broadcast against one another; without cancellation
// for close pairs (float32 is computed in float64).
torch::Tensor half_squared_chord(const torch::Tensor& x, const torch::Tensor& y, double curvature);

// The terms, one a triplet.
torch::Tensor triplet_hinge(const torch::Tensor& h, const torch::Tensor& anchor,
                            const torch::Tensor& positive, const torch::Tensor& negative,
                            kernels::Margin margin, double curvature);

// rows x columns distances in memory: for tests and small catalogues. `nothing`: as in fused.h.
torch::Tensor softmax_contrast(const torch::Tensor& x, const torch::Tensor& y, const torch::Tensor& target,
                               double curvature, double tau, std::int64_t nothing = 0);

}  // namespace reference
}  // namespace hyperllm::manifold
