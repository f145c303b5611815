// Graph propagation with a normalised adjacency: D^-1 (B + I), or D^-1/2 B D^-1/2.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace hyperllm::kernels {

// A symmetric sparse matrix S with a scale for each node; one structure serves A = scale S and its transpose
// S scale, or, with both sides scaled, scale S scale, which is its own transpose.
struct SymmetricGraph {
  std::int64_t nodes = 0;
  std::span<const std::int64_t> indptr;   // nodes + 1
  std::span<const std::int32_t> indices;  // ascending within a row, the diagonal included if it is not 0
  std::span<const float> weights;         // as indices; empty: all 1
  std::span<const float> scale;           // nodes: 1 / row sum, or its root where both sides are scaled
  std::span<const std::int64_t> cuts;     // row_cuts(indptr)
  bool both_sides = false;
};

// Ascending rows, the first 0 and the last `nodes`, between which lies about the same work: whatever a row's
// number of neighbours, the ranges can be shared out. Part of the graph, so that no call computes it again.
std::vector<std::int64_t> row_cuts(std::span<const std::int64_t> indptr);

// out = A x + A^2 x + ... + A^layers x, evaluated as A (x + A (x + ...)). x, out: nodes x dim, row-major; out
// does not alias x. `scratch`: nodes x dim. layers >= 1. Same bytes for any number of threads and on every
// instruction set: an element is the sum over its row's neighbours in order, rounded after every product and
// every sum.
void propagate_sum(const SymmetricGraph& graph, std::span<const float> x, std::int64_t dim,
                   std::int64_t layers, std::span<float> out, std::span<float> scratch);

// The transpose of propagate_sum applied to grad: A^T (g + A^T (g + ...)).
void propagate_sum_backward(const SymmetricGraph& graph, std::span<const float> grad, std::int64_t dim,
                            std::int64_t layers, std::span<float> out, std::span<float> scratch);

}  // namespace hyperllm::kernels
