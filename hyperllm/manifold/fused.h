// Differentiable operations backed by kernels/ for contiguous float32 tensors on the CPU, by reference.h
// otherwise.
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <span>
#include <vector>

#include "hyperllm/kernels/triplet.h"
#include "hyperllm/manifold/curvature.h"

namespace hyperllm::manifold {

// Forces the plain ATen reference for every operation below (tests, comparisons); off by default.
void set_force_reference(bool on);
bool force_reference();

// True if `tensor` goes to the kernels: float32, CPU, reference not forced.
bool use_kernel(const torch::Tensor& tensor);

// The storage of a contiguous float32 CPU tensor.
std::span<float> floats(torch::Tensor& tensor);
std::span<const float> const_floats(const torch::Tensor& tensor);

// Tangent vectors at the origin (rows x dim) to space coordinates; |v| is capped at max_radius (infinity: no
// cap).
torch::Tensor expmap0_rows(const torch::Tensor& v, Curvature curvature, double max_radius);
torch::Tensor logmap0_rows(const torch::Tensor& x, Curvature curvature);

// Node ids of triplets; the three vectors have one length.
struct Triplets {
  std::vector<std::int32_t> anchor, positive, negative;
  std::int64_t size() const { return static_cast<std::int64_t>(anchor.size()); }
};

enum class HingeOver {
  kAll,     // the sum over the triplets
  kActive,  // that sum divided by the number of triplets whose term is above 0; 0 if there is none
};

// (6), on squared distances: sum max(d^2(a, p) - d^2(a, n) + margin, 0). h: space coordinates. margin: the
// same for all, or adaptive as kernels/triplet.h has it.
torch::Tensor triplet_hinge(const torch::Tensor& h, Triplets triplets, kernels::Margin margin,
                            Curvature curvature, HingeOver over = HingeOver::kAll);

// (16): sum of -log softmax_j(-d^2(x_i, y_j) / tau) at j = t over the targets t of every row i. x: rows x
// dim, y: columns x dim, space coordinates. Row i has the targets from first[i] to before first[i + 1], at
// least one; without `first` each has one. `nothing` further columns are no points but at distance 0 from every
// row; -1 as a target stands for them. First derivatives only.
torch::Tensor softmax_contrast(const torch::Tensor& x, const torch::Tensor& y,
                               const std::vector<std::int64_t>& target, Curvature curvature, double tau,
                               const std::vector<std::int64_t>& first = {}, std::int64_t nothing = 0);

// The Poincare ball, so that every operation above serves it through its isometry to the Lorentz model:
// tangent vectors at the origin to points of the ball (|v| capped at max_radius) and back, and points of the
// ball to Lorentz space coordinates and back. As in poincare.h; first derivatives only on the kernel path.
torch::Tensor ball_expmap0_rows(const torch::Tensor& v, Curvature curvature, double max_radius);
torch::Tensor ball_logmap0_rows(const torch::Tensor& x, Curvature curvature);
torch::Tensor ball_to_lorentz_rows(const torch::Tensor& x, Curvature curvature);
torch::Tensor lorentz_to_ball_rows(const torch::Tensor& x, Curvature curvature);

// Gyromidpoints of the ball, from tangents to tangents: midpoint_tangents of weighted sums of rows of lift, as
// kernels/gyromidpoint.h has them. max_radius, max_length: above 0. First derivatives only on the kernel path.
torch::Tensor lift_rows(const torch::Tensor& v, Curvature curvature, double max_radius);
torch::Tensor midpoint_tangent_rows(const torch::Tensor& sums, Curvature curvature, double max_length);

}  // namespace hyperllm::manifold
