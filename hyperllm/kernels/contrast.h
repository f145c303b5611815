// Softmax over all columns of negative squared hyperbolic distances: the contrastive loss (16) of the paper
// and the full-softmax ranking objective, without ever holding a rows x columns matrix.
#pragma once

#include <cstdint>
#include <span>

namespace hyperllm::kernels {

// For points x_i (rows) and y_j (columns) of the hyperboloid of curvature -c, given by their space
// coordinates,
//   loss_i = d^2(x_i, y_t(i)) / tau + log sum_j exp(-d^2(x_i, y_j) / tau),      result = sum_i loss_i.
//
// x: rows x dim, y: columns x dim, row-major; target: rows entries in [0, columns). grad_x and grad_y (same
// shapes as x and y) are overwritten with the gradients of the result, or both empty to skip them. tau > 0.
// Works in tiles of 64 rows: O(64 columns) floats of scratch per lane. Inner products in float32 (absolute
// error about 1e-7 x0 y0), the target's distance and all sums over rows in double. Same bytes for any number
// of threads. NaN inputs give a NaN result.
double softmax_contrast(std::span<const float> x, std::span<const float> y,
                        std::span<const std::int64_t> target, std::int64_t dim, double curvature, double tau,
                        std::span<float> grad_x, std::span<float> grad_y);

}  // namespace hyperllm::kernels
