#include "hyperllm/kernels/bfloat16_x86.h"

#include <algorithm>
#include <cstring>

#include "hyperllm/kernels/panels.h"

#if defined(__x86_64__) && defined(__linux__) && defined(__GNUC__)
#include <cpuid.h>
#include <immintrin.h>
#include <sys/syscall.h>
#include <unistd.h>

#define HYPERLLM_AVX512_BF16 __attribute__((target("avx512f,avx512bw,avx512vl,avx512bf16")))
#define HYPERLLM_AMX __attribute__((target("amx-tile,amx-bf16")))

namespace hyperllm::kernels {
namespace {

constexpr std::int64_t kLanes = 16, kQuad = 4;

HYPERLLM_AVX512_BF16 inline __m512bh pairs(__m512 elements) { return reinterpret_cast<__m512bh>(elements); }

// C (4 kQ x 16 kV) from kQ quads that lie 4 k elements apart.
template <int kQ, int kV>
HYPERLLM_AVX512_BF16 void tile(const float* __restrict a, const float* __restrict b, std::int64_t k,
                               float* __restrict c, std::int64_t stride, bool add) {
  __m512 sums[kQ * kQuad][kV];
#pragma GCC unroll 8
  for (int r = 0; r < kQ * kQuad; ++r) {
#pragma GCC unroll 3
    for (int v = 0; v < kV; ++v) sums[r][v] = _mm512_setzero_ps();
  }
  for (std::int64_t p = 0; p < k; ++p) {
    __m512 row[kV];
#pragma GCC unroll 3
    for (int v = 0; v < kV; ++v) row[v] = _mm512_load_ps(b + p * kPanel + v * kLanes);
#pragma GCC unroll 8
    for (int r = 0; r < kQ * kQuad; ++r) {
      const __m512 value = _mm512_set1_ps(a[(r / kQuad) * kQuad * k + p * kQuad + r % kQuad]);
#pragma GCC unroll 3
      for (int v = 0; v < kV; ++v) sums[r][v] = _mm512_dpbf16_ps(sums[r][v], pairs(value), pairs(row[v]));
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < kQ * kQuad; ++r) {
#pragma GCC unroll 3
    for (int v = 0; v < kV; ++v) {
      float* out = c + r * stride + v * kLanes;
      _mm512_storeu_ps(out, add ? _mm512_add_ps(_mm512_loadu_ps(out), sums[r][v]) : sums[r][v]);
    }
  }
}

// Adds the valid part of a tile that was computed beside C because it sticks out.
void add_edge(const float* edge, std::int64_t rows, std::int64_t columns, float* c, std::int64_t stride,
              bool add) {
  for (std::int64_t r = 0; r < rows; ++r)
    for (std::int64_t j = 0; j < columns; ++j)
      c[r * stride + j] = add ? c[r * stride + j] + edge[r * kPanel + j] : edge[r * kPanel + j];
}

struct TileConfig {
  std::uint8_t palette = 1, start_row = 0, reserved[14] = {};
  std::uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  std::uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};
static_assert(sizeof(TileConfig) == 64);

constexpr std::int64_t kTile = 16;  // rows, and elements of a row

// C (16 kR x 16 kV): tiles 0 to 2 and 3 to 5; A: tile 6; B: tile 7. The second row of tiles is walked
// backwards so that each tile of B but the first is loaded twice at most, and A once.
template <int kR, int kV>
HYPERLLM_AMX void amx_tile(const float* a, const float* b, std::int64_t blocks, float* c, std::int64_t stride,
                           bool add) {
  const long row = static_cast<long>(stride * 4);
  float* second = c + kTile * stride;
  if (add) {
    _tile_loadd(0, c, row);
    if (kV > 1) _tile_loadd(1, c + kTile, row);
    if (kV > 2) _tile_loadd(2, c + 2 * kTile, row);
    if (kR > 1) _tile_loadd(3, second, row);
    if (kR > 1 && kV > 1) _tile_loadd(4, second + kTile, row);
    if (kR > 1 && kV > 2) _tile_loadd(5, second + 2 * kTile, row);
  } else {
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    _tile_zero(4);
    _tile_zero(5);
  }
  for (std::int64_t block = 0; block < blocks; ++block, a += kTile * kTile, b += kTile * kPanel) {
    _tile_loadd(6, a, 64);
    _tile_loadd(7, b, kPanel * 4);
    _tile_dpbf16ps(0, 6, 7);
    if (kV > 1) {
      _tile_loadd(7, b + kTile, kPanel * 4);
      _tile_dpbf16ps(1, 6, 7);
    }
    if (kV > 2) {
      _tile_loadd(7, b + 2 * kTile, kPanel * 4);
      _tile_dpbf16ps(2, 6, 7);
    }
    if (kR == 1) continue;
    _tile_loadd(6, a + blocks * kTile * kTile, 64);
    if (kV > 2) {
      _tile_dpbf16ps(5, 6, 7);
      _tile_loadd(7, b + kTile, kPanel * 4);
    }
    if (kV > 1) {
      _tile_dpbf16ps(4, 6, 7);
      _tile_loadd(7, b, kPanel * 4);
    }
    _tile_dpbf16ps(3, 6, 7);
  }
  _tile_stored(0, c, row);
  if (kV > 1) _tile_stored(1, c + kTile, row);
  if (kV > 2) _tile_stored(2, c + 2 * kTile, row);
  if (kR > 1) _tile_stored(3, second, row);
  if (kR > 1 && kV > 1) _tile_stored(4, second + kTile, row);
  if (kR > 1 && kV > 2) _tile_stored(5, second + 2 * kTile, row);
}

bool ask_for_amx() {
  unsigned a = 0, b = 0, c = 0, d = 0;
  if (!__get_cpuid_count(7, 0, &a, &b, &c, &d)) return false;
  constexpr unsigned kAmxBf16 = 1u << 22, kAmxTile = 1u << 24;
  if (!(d & kAmxBf16) || !(d & kAmxTile)) return false;
  constexpr long kRequestPermission = 0x1023, kTileData = 18;
  return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
}

}  // namespace

bool x86_has_avx512_bf16() {
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bf16");
}

HYPERLLM_AVX512_BF16 void x86_multiply_avx512_bf16(const float* a, const float* b, std::int64_t m,
                                                   std::int64_t n, std::int64_t k, float* c,
                                                   std::int64_t stride, bool add) {
  alignas(64) float edge[2 * kQuad * kPanel];
  const std::int64_t vectors = (n + kLanes - 1) / kLanes;
  for (std::int64_t i = 0; i < m; i += 2 * kQuad) {
    const std::int64_t rows = std::min(m - i, 2 * kQuad);
    const bool two = rows > kQuad, whole = n == vectors * kLanes && rows % kQuad == 0;
    float* out = whole ? c + i * stride : edge;
    const std::int64_t out_stride = whole ? stride : kPanel;
    const bool add_now = whole && add;
    const float* quads = a + i * k;
    if (two && vectors == 3) tile<2, 3>(quads, b, k, out, out_stride, add_now);
    if (two && vectors == 2) tile<2, 2>(quads, b, k, out, out_stride, add_now);
    if (two && vectors == 1) tile<2, 1>(quads, b, k, out, out_stride, add_now);
    if (!two && vectors == 3) tile<1, 3>(quads, b, k, out, out_stride, add_now);
    if (!two && vectors == 2) tile<1, 2>(quads, b, k, out, out_stride, add_now);
    if (!two && vectors == 1) tile<1, 1>(quads, b, k, out, out_stride, add_now);
    if (!whole) add_edge(edge, rows, n, c + i * stride, stride, add);
  }
}

HYPERLLM_AVX512_BF16 double x86_loop_avx512_bf16(std::int64_t steps, float factor, float summand,
                                                 std::int64_t* operations) {
  constexpr int kAccumulators = 24;
  const __m512 f = _mm512_set1_ps(factor), s = _mm512_set1_ps(summand);
  const __m512bh a = _mm512_cvtne2ps_pbh(f, f), b = _mm512_cvtne2ps_pbh(s, s);
  float lanes[kLanes];
  __m512 sums[kAccumulators];
  for (int i = 0; i < kAccumulators; ++i) {
    for (int lane = 0; lane < kLanes; ++lane) lanes[lane] = static_cast<float>(i * kLanes + lane);
    sums[i] = _mm512_loadu_ps(lanes);
  }
  for (std::int64_t step = 0; step < steps; ++step) {
#pragma GCC unroll 24
    for (int i = 0; i < kAccumulators; ++i) sums[i] = _mm512_dpbf16_ps(sums[i], a, b);
  }
  double sum = 0;
  for (int i = 0; i < kAccumulators; ++i) {
    _mm512_storeu_ps(lanes, sums[i]);
    for (float lane : lanes) sum += static_cast<double>(lane);
  }
  *operations = steps * kAccumulators * kLanes * 4;
  return sum;
}

bool x86_has_amx_bf16() {
  static const bool granted = ask_for_amx();
  return granted;
}

HYPERLLM_AMX void x86_configure_tiles() {
  // Static, for GCC believes that the instruction reads eight bytes and may leave the rest of a local unset.
  static constexpr TileConfig config;
  _tile_loadconfig(&config);
}

HYPERLLM_AMX void x86_release_tiles() { _tile_release(); }

void x86_pack_rows_amx(const float* source, std::int64_t stride, std::int64_t m, std::int64_t k,
                       float* packed) {
  for (std::int64_t i = 0; i < m; i += kTile)
    for (std::int64_t p = 0; p < k; p += kTile)
      for (std::int64_t r = 0; r < kTile; ++r, packed += kTile) {
        const std::int64_t count = i + r < m ? std::min(kTile, k - p) : 0;
        std::memcpy(packed, source + (i + r) * stride + p, static_cast<std::size_t>(count) * sizeof(float));
        std::fill(packed + count, packed + kTile, 0.0f);
      }
}

void x86_pack_columns_amx(const float* source, std::int64_t stride, std::int64_t m, std::int64_t k,
                          float* packed) {
  for (std::int64_t i = 0; i < m; i += kTile)
    for (std::int64_t p = 0; p < k; p += kTile, packed += kTile * kTile)
      for (std::int64_t q = 0; q < kTile; ++q)
        for (std::int64_t r = 0; r < kTile; ++r)
          packed[r * kTile + q] = p + q < k ? source[(p + q) * stride + i + r] : 0.0f;
}

HYPERLLM_AMX void x86_multiply_amx(const float* a, const float* b, std::int64_t m, std::int64_t n,
                                   std::int64_t k, float* c, std::int64_t stride, bool add) {
  alignas(64) float edge[2 * kTile * kPanel];
  x86_configure_tiles();
  const std::int64_t tiles = (n + kTile - 1) / kTile, blocks = (k + kTile - 1) / kTile;
  for (std::int64_t i = 0; i < m; i += 2 * kTile, a += 2 * blocks * kTile * kTile) {
    const std::int64_t rows = std::min(m - i, 2 * kTile);
    const bool two = rows > kTile, whole = n == tiles * kTile && rows % kTile == 0;
    float* out = whole ? c + i * stride : edge;
    const std::int64_t out_stride = whole ? stride : kPanel;
    const bool add_now = whole && add;
    if (two && tiles == 3) amx_tile<2, 3>(a, b, blocks, out, out_stride, add_now);
    if (two && tiles == 2) amx_tile<2, 2>(a, b, blocks, out, out_stride, add_now);
    if (two && tiles == 1) amx_tile<2, 1>(a, b, blocks, out, out_stride, add_now);
    if (!two && tiles == 3) amx_tile<1, 3>(a, b, blocks, out, out_stride, add_now);
    if (!two && tiles == 2) amx_tile<1, 2>(a, b, blocks, out, out_stride, add_now);
    if (!two && tiles == 1) amx_tile<1, 1>(a, b, blocks, out, out_stride, add_now);
    if (!whole) add_edge(edge, rows, n, c + i * stride, stride, add);
  }
  x86_release_tiles();
}

// The registers are one resource of fixed size: 4 accumulators of 16 x 16.
HYPERLLM_AMX double x86_loop_amx(std::int64_t steps, float factor, float summand, std::int64_t* operations) {
  alignas(64) float a[kTile * kTile], b[kTile * kTile], c[kTile * kTile];
  const auto both = [](float value) {
    std::uint32_t bits;
    std::memcpy(&bits, &value, sizeof bits);
    bits = (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16;
    bits |= bits << 16;
    std::memcpy(&value, &bits, sizeof value);
    return value;
  };
  std::fill(a, a + kTile * kTile, both(factor));
  std::fill(b, b + kTile * kTile, both(summand));
  for (int i = 0; i < kTile * kTile; ++i) c[i] = static_cast<float>(i);
  x86_configure_tiles();
  _tile_loadd(0, c, 64);
  _tile_loadd(1, c, 64);
  _tile_loadd(2, c, 64);
  _tile_loadd(3, c, 64);
  _tile_loadd(4, a, 64);
  _tile_loadd(5, b, 64);
  for (std::int64_t step = 0; step < steps; ++step) {
    _tile_dpbf16ps(0, 4, 5);
    _tile_dpbf16ps(1, 4, 5);
    _tile_dpbf16ps(2, 4, 5);
    _tile_dpbf16ps(3, 4, 5);
  }
  double sum = 0;
  const auto add_up = [&] {
    for (float value : c) sum += static_cast<double>(value);
  };
  _tile_stored(0, c, 64);
  add_up();
  _tile_stored(1, c, 64);
  add_up();
  _tile_stored(2, c, 64);
  add_up();
  _tile_stored(3, c, 64);
  add_up();
  x86_release_tiles();
  *operations = steps * 4 * kTile * kTile * kTile * 4;
  return sum;
}

}  // namespace hyperllm::kernels

#else

namespace hyperllm::kernels {

bool x86_has_avx512_bf16() { return false; }
bool x86_has_amx_bf16() { return false; }
void x86_configure_tiles() {}
void x86_release_tiles() {}
void x86_multiply_avx512_bf16(const float*, const float*, std::int64_t, std::int64_t, std::int64_t, float*,
                              std::int64_t, bool) {}
double x86_loop_avx512_bf16(std::int64_t, float, float, std::int64_t*) { return 0; }
void x86_pack_rows_amx(const float*, std::int64_t, std::int64_t, std::int64_t, float*) {}
void x86_pack_columns_amx(const float*, std::int64_t, std::int64_t, std::int64_t, float*) {}
void x86_multiply_amx(const float*, const float*, std::int64_t, std::int64_t, std::int64_t, float*,
                      std::int64_t, bool) {}
double x86_loop_amx(std::int64_t, float, float, std::int64_t*) { return 0; }

}  // namespace hyperllm::kernels

#endif
