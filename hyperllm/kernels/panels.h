// Dense products on packed panels, on one thread, for kernels that fuse something with the product. Where
// nothing is fused, gemm of hyperllm/kernels/blas.h is simpler.
//
// C (m x n) += A (m x k) B (k x n), n <= kPanel. A is packed into tiles of rows whose layout is the engine's
// own; B is packed as k rows of kPanel elements, those beyond n anything. An element is 32 bits: one float,
// or a pair of bfloat16 that are neighbours in k (the first in the low half), k then counting pairs.
#pragma once

#include <cstdint>

namespace hyperllm::kernels {

inline constexpr std::int64_t kPanel = 48;

struct PanelEngine {
  const char* name;
  bool pairs;  // an element is a pair of bfloat16
  // Rows of A come in tiles of this many, the last one padded, and its depth in multiples of this many.
  std::int64_t row_multiple, depth_multiple;
  // Packs A from rows of k contiguous elements, `stride` apart.
  void (*pack_rows)(const float* source, std::int64_t stride, std::int64_t m, std::int64_t k, float* packed);
  // Packs A from its transpose: k rows of m contiguous elements, `stride` apart. Reads
  // the elements of a row up to the next multiple of row_multiple.
  void (*pack_columns)(const float* source, std::int64_t stride, std::int64_t m, std::int64_t k,
                       float* packed);
  // c: m rows of n floats, `stride` apart; overwritten unless `add`. The products of an element of C are
  // summed in the order of k, wherever it lies.
  void (*multiply)(const float* a, const float* b, std::int64_t m, std::int64_t n, std::int64_t k, float* c,
                   std::int64_t stride, bool add);

  // Elements of a packed A.
  std::int64_t packed_size(std::int64_t m, std::int64_t k) const {
    return (m + row_multiple - 1) / row_multiple * row_multiple *
           ((k + depth_multiple - 1) / depth_multiple) * depth_multiple;
  }
  // Depth of a packed B, whose rows beyond k must be zero.
  std::int64_t packed_depth(std::int64_t k) const {
    return (k + depth_multiple - 1) / depth_multiple * depth_multiple;
  }
};

// float32, on Highway's best target.
const PanelEngine& float_panels();

// Packs B from k rows of n contiguous elements, `stride` apart, n > kPanel giving several panels one behind
// the other; each has `depth` >= k rows, those beyond k zero. Elements beyond n are zero.
void pack_panels(const float* source, std::int64_t stride, std::int64_t k, std::int64_t n, std::int64_t depth,
                 float* packed);
// One panel (n <= kPanel) from its transpose: n rows of k contiguous elements, `stride` apart.
void pack_panel_transposed(const float* source, std::int64_t stride, std::int64_t k, std::int64_t n,
                           std::int64_t depth, float* packed);

}  // namespace hyperllm::kernels
