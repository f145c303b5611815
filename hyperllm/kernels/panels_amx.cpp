#include "hyperllm/kernels/panels_amx.h"

#include <hwy/targets.h>

#include <algorithm>

#include "hyperllm/kernels/bfloat16_x86.h"

#if defined(__x86_64__) && defined(__linux__) && defined(__GNUC__)
#include "hyperllm/kernels/amx_parts-inl.h"

namespace hyperllm::kernels {
namespace {

constexpr std::int64_t kColumns = 2 * kLine;  // of a panel
constexpr std::int64_t kFewRows = 256;        // of A, which then fit into the second cache
constexpr std::int64_t kLeftBlock = kParts * kBlockFloats, kRightBlock = kColumns / kLine * kLeftBlock;

// Tiles of 16 rows; of each, block by block, its parts.
HYPERLLM_AMX void pack_rows(const float* source, std::int64_t stride, std::int64_t m, std::int64_t k,
                            float* packed) {
  for (std::int64_t i = 0; i < m; i += kLine)
    for (std::int64_t p = 0; p < k; p += kBlock, packed += kLeftBlock)
      for (std::int64_t r = 0; r < kLine; ++r) {
        const float* from = source + (i + r) * stride + p;
        const std::int64_t count = i + r < m ? k - p : 0;
        store_row_parts(load_some(from, count), load_some(from + kLine, count - kLine), kParts, kBlockFloats,
                        packed + r * kLine);
      }
}

HYPERLLM_AMX void pack_columns(const float* source, std::int64_t stride, std::int64_t m, std::int64_t k,
                               float* packed) {
  alignas(64) float turned[kLeftBlock];
  for (std::int64_t i = 0; i < m; i += kLine)
    for (std::int64_t p = 0; p < k; p += kBlock, packed += kLeftBlock) {
      for (std::int64_t q = 0; q < kLine; ++q) {
        const float* from = source + (p + 2 * q) * stride + i;
        store_parts(load_some(from, p + 2 * q < k ? m - i : 0),
                    load_some(from + stride, p + 2 * q + 1 < k ? m - i : 0), kParts, kBlockFloats,
                    turned + q * kLine);
      }
      for (int part = 0; part < kParts; ++part)
        transpose_block(turned + part * kBlockFloats, packed + part * kBlockFloats);
    }
}

// Block by block of 32 rows, 16 columns by 16 columns, their parts.
HYPERLLM_AMX void pack_panels(const float* source, std::int64_t stride, std::int64_t k, std::int64_t n,
                              std::int64_t depth, float* packed) {
  for (std::int64_t j = 0; j < n; j += kColumns, packed += depth * kColumns)
    for (std::int64_t p = 0; p < blocks(k) * kLine; ++p)
      for (std::int64_t v = 0; v < kColumns; v += kLine) {
        const float* from = source + 2 * p * stride + j + v;
        store_parts(load_some(from, 2 * p < k ? n - j - v : 0),
                    load_some(from + stride, 2 * p + 1 < k ? n - j - v : 0), kParts, kBlockFloats,
                    packed + p / kLine * kRightBlock + v / kLine * kLeftBlock + p % kLine * kLine);
      }
}

HYPERLLM_AMX void pack_panel_transposed(const float* source, std::int64_t stride, std::int64_t k,
                                        std::int64_t n, std::int64_t, float* packed) {
  alignas(64) float turned[kLeftBlock];
  for (std::int64_t p = 0; p < k; p += kBlock, packed += kRightBlock)
    for (std::int64_t v = 0; v < kColumns; v += kLine) {
      for (std::int64_t j = 0; j < kLine; ++j) {
        const float* from = source + (v + j) * stride + p;
        const std::int64_t count = v + j < n ? k - p : 0;
        store_row_parts(load_some(from, count), load_some(from + kLine, count - kLine), kParts, kBlockFloats,
                        turned + j * kLine);
      }
      for (int part = 0; part < kParts; ++part)
        transpose_block(turned + part * kBlockFloats, packed + v / kLine * kLeftBlock + part * kBlockFloats);
    }
}

// Cache lines that will be needed after this product, a few beside each step of it.
struct Ahead {
  const float* at;
  std::int64_t lines;  // a block

  HYPERLLM_AMX void fetch() {
    for (std::int64_t line = 0; line < lines; ++line, at += kLine) _mm_prefetch(at, _MM_HINT_T1);
  }
};

// C: kR x kV tiles, in registers 0 to 3, row by row; left operands 4 and 5, right ones 6 and 7.
template <int kR, int kV>
HYPERLLM_AMX void tiles(const float* a, const float* b, std::int64_t count, float* c, std::int64_t stride,
                        bool add, Ahead& ahead) {
  const long bytes = static_cast<long>(stride * 4);
  float* second = c + kLine * stride;
  if (add) {
    _tile_loadd(0, c, bytes);
    if constexpr (kV > 1) _tile_loadd(1, c + kLine, bytes);
    if constexpr (kR > 1) _tile_loadd(2, second, bytes);
    if constexpr (kR > 1 && kV > 1) _tile_loadd(3, second + kLine, bytes);
  } else {
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
  }
  const std::int64_t next_rows = count * kLeftBlock;
  for (std::int64_t block = 0; block < count; ++block, a += kLeftBlock, b += kRightBlock) {
    const auto take_left = [&](int part) HYPERLLM_AMX {
      _tile_loadd(4, a + part * kBlockFloats, 64);
      if constexpr (kR > 1) _tile_loadd(5, a + next_rows + part * kBlockFloats, 64);
    };
    const auto take_right = [&](int part) HYPERLLM_AMX {
      _tile_loadd(6, b + part * kBlockFloats, 64);
      if constexpr (kV > 1) _tile_loadd(7, b + kLeftBlock + part * kBlockFloats, 64);
    };
    const auto multiply = []() HYPERLLM_AMX {
      _tile_dpbf16ps(0, 4, 6);
      if constexpr (kV > 1) _tile_dpbf16ps(1, 4, 7);
      if constexpr (kR > 1) _tile_dpbf16ps(2, 5, 6);
      if constexpr (kR > 1 && kV > 1) _tile_dpbf16ps(3, 5, 7);
    };
    ahead.fetch();
    six_products(take_left, take_right, multiply);
  }
  _tile_stored(0, c, bytes);
  if constexpr (kV > 1) _tile_stored(1, c + kLine, bytes);
  if constexpr (kR > 1) _tile_stored(2, second, bytes);
  if constexpr (kR > 1 && kV > 1) _tile_stored(3, second + kLine, bytes);
}

HYPERLLM_AMX void multiply(const float* a, const float* b, std::int64_t m, std::int64_t n, std::int64_t k,
                           float* c, std::int64_t stride, bool add) {
  alignas(64) float edge[2 * kLine * kColumns];
  x86_configure_tiles();
  const std::int64_t count = blocks(k);
  // One operand serves every call of a series and is near. The other comes from afar: of many rows, A, of few
  // the panels of B.
  const std::int64_t left = 2 * kLeftBlock, steps = (m + 2 * kLine - 1) / (2 * kLine);
  Ahead ahead = m > kFewRows ? Ahead{a + count * left, left / kLine}
                             : Ahead{b + count * kRightBlock, (kRightBlock / kLine + steps - 1) / steps};
  for (std::int64_t i = 0; i < m; i += 2 * kLine, a += 2 * count * kLeftBlock) {
    const std::int64_t rows = std::min(m - i, 2 * kLine);
    const bool whole = rows % kLine == 0 && n % kLine == 0, add_now = whole && add;
    float* out = whole ? c + i * stride : edge;
    const std::int64_t out_stride = whole ? stride : kColumns;
    if (rows > kLine && n > kLine) tiles<2, 2>(a, b, count, out, out_stride, add_now, ahead);
    if (rows > kLine && n <= kLine) tiles<2, 1>(a, b, count, out, out_stride, add_now, ahead);
    if (rows <= kLine && n > kLine) tiles<1, 2>(a, b, count, out, out_stride, add_now, ahead);
    if (rows <= kLine && n <= kLine) tiles<1, 1>(a, b, count, out, out_stride, add_now, ahead);
    for (std::int64_t r = 0; r < rows && !whole; ++r)
      for (std::int64_t j = 0; j < n; ++j) {
        float& target = c[(i + r) * stride + j];
        target = add ? target + edge[r * kColumns + j] : edge[r * kColumns + j];
      }
  }
  x86_release_tiles();
}

}  // namespace

bool has_amx_parts() {
  return (hwy::SupportedTargets() & HWY_AVX3_DL) && x86_has_amx_bf16() && x86_has_avx512_bf16();
}

const PanelEngine& amx_float_panels() {
  static const PanelEngine engine{.name = "float32, AMX",
                                  .pairs = false,
                                  .row_multiple = kLine,
                                  .depth_multiple = kBlock,
                                  .near_depth = 4 * kBlock,
                                  .columns = kColumns,
                                  .halves = kParts,
                                  .pack_rows = pack_rows,
                                  .pack_columns = pack_columns,
                                  .pack_panels = pack_panels,
                                  .pack_panel_transposed = pack_panel_transposed,
                                  .multiply = multiply};
  return engine;
}

}  // namespace hyperllm::kernels

#else

namespace hyperllm::kernels {

bool has_amx_parts() { return false; }
const PanelEngine& amx_float_panels() { return float_panels(); }

}  // namespace hyperllm::kernels

#endif
