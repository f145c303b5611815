#include "hyperllm/kernels/panels.h"

#include <algorithm>
#include <cstring>

#include "hyperllm/kernels/panels_amx.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "hyperllm/kernels/panels.cpp"
// clang-format off: foreach_target.h must come first
#include <hwy/cache_control.h>
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
// clang-format on

HWY_BEFORE_NAMESPACE();
namespace hyperllm::kernels::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

using Tag = hn::ScalableTag<float>;
using Vector = hn::Vec<Tag>;

// A is packed in quads: 4 rows, k by k. As many quads at once as there are registers for.
constexpr std::int64_t kQuad = 4;
constexpr bool kSixteenRegisters = HWY_ARCH_X86 && HWY_TARGET > HWY_AVX3;
constexpr int kQuads = kSixteenRegisters ? 1 : 2;
constexpr int kVectors = 3;

// Processors with so few have small caches too.
std::int64_t near_depth() { return kSixteenRegisters ? 128 : 256; }

// C (4 kQ x kV vectors) from kQ quads that lie 4 k floats apart.
template <int kQ, int kV>
HWY_ATTR void tile(const float* HWY_RESTRICT a, const float* HWY_RESTRICT b, std::int64_t k,
                   float* HWY_RESTRICT c, std::int64_t stride, bool add) {
  const Tag d;
  const std::int64_t lanes = static_cast<std::int64_t>(hn::Lanes(d));
  Vector sums[kQ * kQuad][kV];
#pragma GCC unroll 8
  for (int r = 0; r < kQ * kQuad; ++r) {
    if (add) {
#pragma GCC unroll 3
      for (int v = 0; v < kV; ++v) hwy::Prefetch(c + r * stride + v * lanes);
    }
#pragma GCC unroll 3
    for (int v = 0; v < kV; ++v) sums[r][v] = hn::Zero(d);
  }
#pragma GCC unroll 4
  for (std::int64_t p = 0; p < k; ++p) {
    Vector row[kV];
#pragma GCC unroll 3
    for (int v = 0; v < kV; ++v) row[v] = hn::Load(d, b + p * kPanel + v * lanes);
#pragma GCC unroll 8
    for (int r = 0; r < kQ * kQuad; ++r) {
      const Vector value = hn::Set(d, a[(r / kQuad) * kQuad * k + p * kQuad + r % kQuad]);
#pragma GCC unroll 3
      for (int v = 0; v < kV; ++v) sums[r][v] = hn::MulAdd(value, row[v], sums[r][v]);
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < kQ * kQuad; ++r) {
#pragma GCC unroll 3
    for (int v = 0; v < kV; ++v) {
      float* out = c + r * stride + v * lanes;
      hn::StoreU(add ? hn::Add(hn::LoadU(d, out), sums[r][v]) : sums[r][v], d, out);
    }
  }
}

template <int kQ>
HWY_ATTR void tile_of(std::int64_t vectors, const float* a, const float* b, std::int64_t k, float* c,
                      std::int64_t stride, bool add) {
  if (vectors == 1) tile<kQ, 1>(a, b, k, c, stride, add);
  if (vectors == 2) tile<kQ, 2>(a, b, k, c, stride, add);
  if (vectors == 3) tile<kQ, 3>(a, b, k, c, stride, add);
}

HWY_ATTR void multiply(const float* a, const float* b, std::int64_t m, std::int64_t n, std::int64_t k,
                       float* c, std::int64_t stride, bool add) {
  const std::int64_t lanes = static_cast<std::int64_t>(hn::Lanes(Tag()));
  float edge[kQuads * kQuad * kPanel];
  for (std::int64_t j = 0; j < n; j += kVectors * lanes) {
    const std::int64_t vectors = std::min<std::int64_t>(kVectors, (n - j + lanes - 1) / lanes);
    const std::int64_t columns = std::min(n - j, vectors * lanes);
    for (std::int64_t i = 0; i < m; i += kQuads * kQuad) {
      const std::int64_t rows = std::min<std::int64_t>(m - i, kQuads * kQuad);
      const bool two = kQuads == 2 && rows > kQuad;
      const bool whole = columns == vectors * lanes && rows == (two ? 2 * kQuad : kQuad);
      float* target = c + i * stride + j;
      float* out = whole ? target : edge;
      const std::int64_t out_stride = whole ? stride : kPanel;
      if (two)
        tile_of<2>(vectors, a + i * k, b + j, k, out, out_stride, whole && add);
      else
        tile_of<1>(vectors, a + i * k, b + j, k, out, out_stride, whole && add);
      if (whole) continue;
      for (std::int64_t r = 0; r < rows; ++r)
        for (std::int64_t x = 0; x < columns; ++x)
          target[r * stride + x] = add ? target[r * stride + x] + edge[r * kPanel + x] : edge[r * kPanel + x];
    }
  }
}

HWY_ATTR void pack_rows(const float* source, std::int64_t stride, std::int64_t m, std::int64_t k,
                        float* packed) {
  const Tag d;
  const std::int64_t lanes = static_cast<std::int64_t>(hn::Lanes(d));
  for (std::int64_t i = 0; i < m; i += kQuad, packed += kQuad * k) {
    const float* row = source + i * stride;
    std::int64_t p = 0;
    if (m - i >= kQuad)
      for (; p + lanes <= k; p += lanes)
        hn::StoreInterleaved4(hn::LoadU(d, row + p), hn::LoadU(d, row + stride + p),
                              hn::LoadU(d, row + 2 * stride + p), hn::LoadU(d, row + 3 * stride + p), d,
                              packed + p * kQuad);
    for (; p < k; ++p)
      for (std::int64_t r = 0; r < kQuad; ++r) packed[p * kQuad + r] = i + r < m ? row[r * stride + p] : 0.0f;
  }
}

}  // namespace hyperllm::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace hyperllm::kernels {

HWY_EXPORT(multiply);
HWY_EXPORT(near_depth);
HWY_EXPORT(pack_rows);

namespace {

constexpr std::int64_t kQuad = 4;

void pack_quads_of_rows(const float* source, std::int64_t stride, std::int64_t m, std::int64_t k,
                        float* packed) {
  HWY_DYNAMIC_DISPATCH(pack_rows)(source, stride, m, k, packed);
}

void pack_quads_of_columns(const float* source, std::int64_t stride, std::int64_t m, std::int64_t k,
                           float* packed) {
  // A cache line of the source at a time.
  for (std::int64_t i = 0; i < m; i += 4 * kQuad)
    for (std::int64_t p = 0; p < k; ++p)
      for (std::int64_t q = i; q < std::min(m, i + 4 * kQuad); q += kQuad)
        std::memcpy(packed + q * k + p * kQuad, source + p * stride + q, kQuad * sizeof(float));
}

void multiply_quads(const float* a, const float* b, std::int64_t m, std::int64_t n, std::int64_t k, float* c,
                    std::int64_t stride, bool add) {
  HWY_DYNAMIC_DISPATCH(multiply)(a, b, m, n, k, c, stride, add);
}

}  // namespace

const PanelEngine& float_panels() {
  static const PanelEngine engine{.name = "float32",
                                  .pairs = false,
                                  .row_multiple = kQuad,
                                  .depth_multiple = 1,
                                  .near_depth = HWY_DYNAMIC_DISPATCH(near_depth)(),
                                  .columns = kPanel,
                                  .halves = 2,
                                  .pack_rows = pack_quads_of_rows,
                                  .pack_columns = pack_quads_of_columns,
                                  .pack_panels = pack_panel_rows,
                                  .pack_panel_transposed = pack_panel_columns,
                                  .multiply = multiply_quads};
  return engine;
}

const PanelEngine& fastest_float_panels() { return has_amx_parts() ? amx_float_panels() : float_panels(); }

void pack_panel_rows(const float* source, std::int64_t stride, std::int64_t k, std::int64_t n,
                     std::int64_t depth, float* packed) {
  const std::int64_t panels = (n + kPanel - 1) / kPanel;
  for (std::int64_t p = 0; p < k; ++p)
    for (std::int64_t panel = 0; panel < panels; ++panel) {
      const std::int64_t columns = std::min(kPanel, n - panel * kPanel);
      float* out = packed + (panel * depth + p) * kPanel;
      const float* in = source + p * stride + panel * kPanel;
      if (columns == kPanel) {
        std::memcpy(out, in, kPanel * sizeof(float));
      } else {
        std::memcpy(out, in, columns * sizeof(float));
        std::fill(out + columns, out + kPanel, 0.0f);
      }
    }
  for (std::int64_t panel = 0; panel < panels; ++panel)
    std::fill(packed + (panel * depth + k) * kPanel, packed + (panel + 1) * depth * kPanel, 0.0f);
}

void pack_panel_columns(const float* source, std::int64_t stride, std::int64_t k, std::int64_t n,
                        std::int64_t depth, float* packed) {
  std::fill(packed + k * kPanel, packed + depth * kPanel, 0.0f);
  for (std::int64_t j = 0; j < kPanel; ++j)
    for (std::int64_t p = 0; p < k; ++p) packed[p * kPanel + j] = j < n ? source[j * stride + p] : 0.0f;
}

}  // namespace hyperllm::kernels
#endif  // HWY_ONCE
