// The gyromidpoint of points of the Poincare ball of curvature -c (Ungar 2008), given by tangent vectors at the
// origin, as two row-wise maps with a weighted sum of rows between them, forward and backward. It is the
// Lorentz centroid: the ball's expmap0(v) lies at the hyperboloid's expmap0(2 v), the midpoint on the ray of
// the weighted sum of such points. Every row is computed in double. Same bytes for any number of threads; NaN
// spoils its own row and no other.
#pragma once

#include <cstdint>
#include <span>

namespace hyperllm::kernels {

// v: rows x dim. out: rows x (dim + 1), the points of the hyperboloid of curvature -1, time first. |v| is
// capped at max_radius; sqrt(c) max_radius at most 20, for floats to hold products of two.
void lift(std::span<const float> v, std::int64_t dim, double curvature, double max_radius,
          std::span<float> out);
// grad_v from grad_out; along a capped row the radial part is zero.
void lift_backward(std::span<const float> v, std::span<const float> grad_out, std::int64_t dim,
                   double curvature, double max_radius, std::span<float> grad_v);

// sums: rows x (dim + 1), weighted sums of such points, time above 0; a factor on a row changes nothing. out:
// rows x dim, logmap0 of the midpoints, of a length capped at max_length. Takes space over time, which needs
// no <s,s>; still float32 sums hold the length to about 1e-7 exp(4 sqrt(c) length) / sqrt(c).
void midpoint_tangents(std::span<const float> sums, std::int64_t dim, double curvature, double max_length,
                       std::span<float> out);
void midpoint_tangents_backward(std::span<const float> sums, std::span<const float> grad_out,
                                std::int64_t dim, double curvature, double max_length,
                                std::span<float> grad_sums);

}  // namespace hyperllm::kernels
