// Softmax over all columns of negative squared hyperbolic distances: the contrastive loss (16) of the paper
// and the full-softmax ranking objective, without ever holding a rows x columns matrix.
#pragma once

#include <cstdint>
#include <span>

namespace hyperllm::kernels {

// For points x_i (rows) and y_j (columns) of the hyperboloid of curvature -c, given by their space
// coordinates,
//   loss_it = d^2(x_i, y_t) / tau + log sum_j exp(-d^2(x_i, y_j) / tau),      result = the sum of the loss_it
//
// over the targets t of every row i. A row that is the anchor of many pairs costs no more than one of a
// single pair, but for its pairs themselves.
//
// x: rows x dim, y: columns x dim, row-major. target: entries in [0, columns), those of row i from first[i]
// to before first[i + 1]: at least one each; without `first`, one each in the order of the rows. grad_x and
// grad_y (same shapes as x and y) are overwritten with the gradients of the result, or both empty to skip
// them. tau > 0. `nothing`: so many further columns are no points but at distance 0 from every row, without a
// gradient; -1 as a target stands for them.
//
// Three products over tiles of 64 rows, in one pass. Memory per lane (contrast_lanes): 64 columns floats for
// the tile and (dim + 1) columns floats for the columns' sums. How the weights are computed:
//   AVX-512, tau >= 0.3 / c (0.5 / c at radius 1.5)   piecewise polynomials of the weights themselves; with
//                                                     AMX then four products in two passes, in as much memory
//   AVX2 and AVX-512 otherwise, points of radius up   piecewise polynomials of the squared distance, then exp
//   to about 1.7 (sqrt(c) d, so that v < 15.9)
//   all else                                          closed forms
//
// Relative error of the loss below 1e-6 and of the gradients (Frobenius) below 1e-5 against float64 while
// logits stay below 100; inner products in float32 (absolute error about 1e-7 x0 y0, with AMX at most 2^-17
// |x| |y| more), the target's distance and all sums over rows in double. Same bytes for any number of
// threads; instruction sets differ in the last digits. NaN inputs give a NaN result.
double softmax_contrast(std::span<const float> x, std::span<const float> y,
                        std::span<const std::int64_t> target, std::int64_t dim, double curvature, double tau,
                        std::span<float> grad_x, std::span<float> grad_y,
                        std::span<const std::int64_t> first = {}, std::int64_t nothing = 0);

// Parts of the rows (with AMX: of the columns) that run side by side, each with its own sums of the other
// side: a function of the sizes only, so that partial sums are the same for any number of threads. More
// threads than this are of no use.
constexpr std::int64_t contrast_lanes(std::int64_t columns) { return columns <= 65536 ? 8 : 2; }

}  // namespace hyperllm::kernels
