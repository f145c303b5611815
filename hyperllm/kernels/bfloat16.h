// bfloat16: the upper half of a float32. Rounding to nearest even, pairs of neighbours as the processors'
// dot products want them, and engines that multiply them (hyperllm/kernels/panels.h), summing in float32.
#pragma once

#include <cstdint>

#include "hyperllm/kernels/panels.h"

namespace hyperllm::kernels {

enum class Bfloat16 {
  kPortable,  // plain C++ that rounds as kAvx512 does; slow, for comparison
  kAvx512,    // vdpbf16ps
  kAmx,       // tdpbf16ps; other order of summation
};
// Whether the CPU, the operating system and the compiler of this program have it.
bool has_bfloat16(Bfloat16 kind);
// kUnavailable, naming what is missing, unless has_bfloat16(kind).
const PanelEngine& bfloat16_panels(Bfloat16 kind);
// Whether fastest_bfloat16_panels() works.
bool has_fast_bfloat16();
// The fastest that this machine has; kUnavailable if it has only the portable one.
const PanelEngine& fastest_bfloat16_panels();

// Pairs (values[0], values[1]), (values[2], values[3]) ...; the last is completed with zero if count is odd.
// Not in place.
void round_to_pairs(const float* values, std::int64_t count, float* pairs);
// Pairs (first[j], second[j]); `second` null: zeros. `pairs` may be one of the two.
void round_row_pairs(const float* first, const float* second, std::int64_t count, float* pairs);
// Packs B (pack_panels) whose k pairs the rows 2 k and 2 k + 1 from rows of pairs of columns, `stride`
// elements apart. `columns` counts bfloat16; an odd number of rows is completed with zeros.
void pack_row_pairs(const float* source, std::int64_t stride, std::int64_t rows, std::int64_t columns,
                    std::int64_t depth, float* packed);

}  // namespace hyperllm::kernels
