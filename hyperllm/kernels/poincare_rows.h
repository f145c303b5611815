// Row-wise maps of the Poincare ball of curvature -c (c |x|^2 < 1), forward and backward: to and from the
// tangent space at the origin, and the isometry to the Lorentz model in space coordinates, through which the
// Lorentz kernels (triplets, contrast, ranking) serve the ball. Formulas as in manifold/poincare.h. Every row
// is computed in double. Rows are independent; a row outside of the ball gives NaN, as NaN does. Same bytes
// for any number of threads; instruction sets agree to about 1e-7.
#pragma once

#include <cstdint>
#include <span>

namespace hyperllm::kernels {

enum class BallMap {
  kExpmap0,      // tanh(r) / r v (c = 1) with r = min(|v|, max_radius)
  kLogmap0,      // atanh(r) / r x
  kToLorentz,    // 2 / (1 - c r^2) x
  kFromLorentz,  // x / (1 + sqrt(1 + c r^2))
};

// in, out: rows x dim, row-major. max_radius (infinity: no cap) counts for kExpmap0 alone. Near the boundary
// float32 holds few digits of 1 - c |x|^2: cap |v| at about 4 / sqrt(c).
void ball_map(BallMap map, std::span<const float> in, std::int64_t dim, double curvature, double max_radius,
              std::span<float> out);
// grad_in from grad_out; along a capped row the radial part is zero.
void ball_map_backward(BallMap map, std::span<const float> in, std::span<const float> grad_out,
                       std::int64_t dim, double curvature, double max_radius, std::span<float> grad_in);

}  // namespace hyperllm::kernels
