// float32 as a sum of bfloat16 parts, in the form of x86's tile registers (AMX): each part is the rounded
// rest of those before, and three parts hold all 24 bits. For hyperllm/kernels/{contrast,panels}_amx* only.
#pragma once

#include <immintrin.h>

#include <cstdint>

#define HYPERLLM_AMX __attribute__((target("amx-tile,amx-bf16,avx512f,avx512bw,avx512vl,avx512bf16")))

namespace hyperllm::kernels {
namespace {

// An operand is packed into blocks of 16 x 16 pairs (1 KB): of the left matrix 16 rows of 32 elements, of the
// right one 16 pairs of rows of 16 columns.
constexpr std::int64_t kLine = 16, kBlockFloats = kLine * kLine, kBlock = 2 * kLine;
constexpr int kParts = 3;

std::int64_t blocks(std::int64_t count) { return (count + kBlock - 1) / kBlock; }

// The nearest bfloat16, as a float; halves go away from zero.
HYPERLLM_AMX inline __m512 nearest(__m512 value) {
  const __m512i bits = _mm512_add_epi32(_mm512_castps_si512(value), _mm512_set1_epi32(0x8000));
  return _mm512_castsi512_ps(_mm512_and_si512(bits, _mm512_set1_epi32(static_cast<int>(0xFFFF0000u))));
}
HYPERLLM_AMX inline float nearest(float value) { return _mm512_cvtss_f32(nearest(_mm512_set1_ps(value))); }
// The parts of 16 elements, `stride` floats apart.
HYPERLLM_AMX inline void split(__m512 value, int parts, std::int64_t stride, float* out) {
  for (int part = 0; part < parts; ++part, out += stride) {
    const __m512 high = nearest(value);
    _mm512_store_ps(out, high);
    value = _mm512_sub_ps(value, high);
  }
}
// Lane by lane a pair: `low` in the low half. Both are bfloat16 as floats.
HYPERLLM_AMX inline __m512 pairs(__m512 low, __m512 high) {
  const __m512i shifted = _mm512_maskz_srli_epi32(0xFFFF, _mm512_castps_si512(low), 16);
  return _mm512_castsi512_ps(_mm512_or_si512(shifted, _mm512_castps_si512(high)));
}
// 16 pairs of elements into the rows of `parts` blocks that are `stride` floats apart.
HYPERLLM_AMX inline void store_parts(__m512 low, __m512 high, int parts, std::int64_t stride, float* out) {
  for (int part = 0; part < parts; ++part, out += stride) {
    const __m512 a = nearest(low), b = nearest(high);
    _mm512_store_ps(out, pairs(a, b));
    low = _mm512_sub_ps(low, a);
    high = _mm512_sub_ps(high, b);
  }
}

// 32 elements in a row, as pairs of neighbours.
HYPERLLM_AMX inline void store_row_parts(__m512 first, __m512 second, int parts, std::int64_t stride,
                                         float* out) {
  const __m512i even = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30),
                odd = _mm512_or_si512(even, _mm512_set1_epi32(1));
  store_parts(_mm512_permutex2var_ps(first, even, second), _mm512_permutex2var_ps(first, odd, second), parts,
              stride, out);
}

// The six largest of the nine products of parts. Each pair differs from the one before by one side, but for
// one: left(part) and right(part) load operands, multiply() takes what is loaded.
template <class Left, class Right, class Multiply>
HYPERLLM_AMX inline void six_products(const Left& left, const Right& right, const Multiply& multiply) {
  left(0);
  right(0);
  multiply();
  right(2);
  multiply();
  right(1);
  multiply();
  left(1);
  multiply();
  right(0);
  multiply();
  left(2);
  multiply();
}

// `count` floats, at most 16; the others are zero.
HYPERLLM_AMX inline __m512 load_some(const float* from, std::int64_t count) {
  const auto mask = static_cast<__mmask16>(count >= kLine ? 0xFFFF : count <= 0 ? 0 : (1 << count) - 1);
  return _mm512_maskz_loadu_ps(mask, from);
}

// One block turned: out[i * kLine + j] = in[j * kLine + i].
HYPERLLM_AMX inline void transpose_block(const float* in, float* out) {
  __m512 lanes[kLine];  // four rows of `in` each: [row / 4 * 4 + column % 4], columns of four in lanes
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    __m512d halves[4];
#pragma GCC unroll 2
    for (int h = 0; h < 2; ++h) {
      const __m512 a = _mm512_load_ps(in + (4 * i + 2 * h) * kLine),
                   b = _mm512_load_ps(in + (4 * i + 2 * h + 1) * kLine);
      halves[h] = _mm512_castps_pd(_mm512_maskz_unpacklo_ps(0xFFFF, a, b));
      halves[2 + h] = _mm512_castps_pd(_mm512_maskz_unpackhi_ps(0xFFFF, a, b));
    }
#pragma GCC unroll 2
    for (int h = 0; h < 2; ++h) {
      const __m512d a = halves[2 * h], b = halves[2 * h + 1];
      lanes[4 * i + 2 * h] = _mm512_castpd_ps(_mm512_maskz_unpacklo_pd(0xFF, a, b));
      lanes[4 * i + 2 * h + 1] = _mm512_castpd_ps(_mm512_maskz_unpackhi_pd(0xFF, a, b));
    }
  }
  constexpr int kEven = 0x88, kOdd = 0xDD;
#pragma GCC unroll 4
  for (int c = 0; c < 4; ++c) {
    const __m512 u = lanes[c], v = lanes[4 + c], w = lanes[8 + c], x = lanes[12 + c];
    const __m512 even_low = _mm512_maskz_shuffle_f32x4(0xFFFF, u, v, kEven),
                 even_high = _mm512_maskz_shuffle_f32x4(0xFFFF, w, x, kEven),
                 odd_low = _mm512_maskz_shuffle_f32x4(0xFFFF, u, v, kOdd),
                 odd_high = _mm512_maskz_shuffle_f32x4(0xFFFF, w, x, kOdd);
    _mm512_store_ps(out + c * kLine, _mm512_maskz_shuffle_f32x4(0xFFFF, even_low, even_high, kEven));
    _mm512_store_ps(out + (4 + c) * kLine, _mm512_maskz_shuffle_f32x4(0xFFFF, odd_low, odd_high, kEven));
    _mm512_store_ps(out + (8 + c) * kLine, _mm512_maskz_shuffle_f32x4(0xFFFF, even_low, even_high, kOdd));
    _mm512_store_ps(out + (12 + c) * kLine, _mm512_maskz_shuffle_f32x4(0xFFFF, odd_low, odd_high, kOdd));
  }
}

}  // namespace
}  // namespace hyperllm::kernels
