// Dense products on packed panels, on one thread, for kernels that fuse something with the product. Where
// nothing is fused, gemm of hyperllm/kernels/blas.h is simpler.
//
// C (m x n) += A (m x k) B (k x n), n at most a panel. A is packed into tiles of rows, B into panels of
// columns; an engine's layouts are its own. An element is 32 bits: one float, or a pair of bfloat16 that are
// neighbours in k (the first in the low half), k then counting pairs.
#pragma once

#include <cstdint>

namespace hyperllm::kernels {

inline constexpr std::int64_t kPanel = 48;  // columns, of most engines

struct PanelEngine {
  const char* name;
  bool pairs;  // an element is a pair of bfloat16
  // Rows of A come in tiles of this many, the last one padded, and its depth in multiples of this many.
  std::int64_t row_multiple, depth_multiple;
  std::int64_t near_depth;  // the k, a multiple of depth_multiple, at which a panel of B stays near
  std::int64_t columns;     // of a panel
  std::int64_t halves;      // of 32 bits, that an element takes when it is packed
  // Packs A from rows of k contiguous elements, `stride` apart.
  void (*pack_rows)(const float* source, std::int64_t stride, std::int64_t m, std::int64_t k, float* packed);
  // Packs A from its transpose: k rows of m contiguous elements, `stride` apart. Reads
  // the elements of a row up to the next multiple of row_multiple.
  void (*pack_columns)(const float* source, std::int64_t stride, std::int64_t m, std::int64_t k,
                       float* packed);
  // Packs B from k rows of n contiguous elements, `stride` apart, n > columns giving several panels one
  // behind the other, each of `depth` = packed_depth(k) rows of `columns` floats.
  void (*pack_panels)(const float* source, std::int64_t stride, std::int64_t k, std::int64_t n,
                      std::int64_t depth, float* packed);
  // One panel (n <= columns) from its transpose: n rows of k contiguous elements, `stride` apart.
  void (*pack_panel_transposed)(const float* source, std::int64_t stride, std::int64_t k, std::int64_t n,
                                std::int64_t depth, float* packed);
  // c: m rows of n floats, `stride` apart; overwritten unless `add`. The products of an element of C are
  // summed in the order of k, wherever it lies.
  void (*multiply)(const float* a, const float* b, std::int64_t m, std::int64_t n, std::int64_t k, float* c,
                   std::int64_t stride, bool add);

  // Floats of a packed A.
  std::int64_t packed_size(std::int64_t m, std::int64_t k) const {
    return (m + row_multiple - 1) / row_multiple * row_multiple * packed_depth(k);
  }
  // Floats that `count` elements take when they are packed; count * halves must be even.
  std::int64_t packed_floats(std::int64_t count) const { return count * halves / 2; }
  // Rows of `columns` floats of a packed panel of B.
  std::int64_t packed_depth(std::int64_t k) const {
    return packed_floats((k + depth_multiple - 1) / depth_multiple * depth_multiple);
  }
};

// float32, on Highway's best target.
const PanelEngine& float_panels();
// float32, the fastest that this machine has: the tile registers of AMX, or float_panels().
const PanelEngine& fastest_float_panels();

// pack_panels and pack_panel_transposed of all engines whose panels are `depth` rows of kPanel elements: rows
// beyond k and elements beyond n are zero.
void pack_panel_rows(const float* source, std::int64_t stride, std::int64_t k, std::int64_t n,
                     std::int64_t depth, float* packed);
void pack_panel_columns(const float* source, std::int64_t stride, std::int64_t k, std::int64_t n,
                        std::int64_t depth, float* packed);

}  // namespace hyperllm::kernels
