#include "hyperllm/kernels/bfloat16.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "hyperllm/base/error.h"
#include "hyperllm/kernels/bfloat16_x86.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "hyperllm/kernels/bfloat16.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace hyperllm::kernels::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

// At most 8 lanes: a panel of 48 columns is then a whole number of vectors of pairs.
using Tag = hn::CappedTag<float, 8>;
using Bits = hn::RebindToUnsigned<Tag>;

// The nearest bfloat16 in the upper half of each lane, anything in the lower.
template <class V>
HWY_INLINE HWY_ATTR hn::Vec<Bits> rounded(V value) {
  const Bits u;
  const auto bits = hn::BitCast(u, value);
  const auto odd = hn::And(hn::ShiftRight<16>(bits), hn::Set(u, 1));
  const auto nearest = hn::Add(bits, hn::Add(odd, hn::Set(u, 0x7FFF)));
  const auto quiet = hn::Or(bits, hn::Set(u, 0x400000));
  return hn::IfThenElse(hn::RebindMask(u, hn::IsNaN(value)), quiet, nearest);
}

HWY_INLINE HWY_ATTR hn::Vec<Bits> pair(hn::Vec<Bits> low, hn::Vec<Bits> high) {
  return hn::Or(hn::ShiftRight<16>(low), hn::And(high, hn::Set(Bits(), 0xFFFF0000u)));
}

// Whole vectors only; returns the number of values done.
HWY_ATTR std::int64_t round_to_pairs(const float* values, std::int64_t count, float* pairs) {
  const Tag d;
  const std::int64_t lanes = static_cast<std::int64_t>(hn::Lanes(d));
  std::int64_t j = 0;
  for (; j + 2 * lanes <= count; j += 2 * lanes) {
    hn::Vec<Tag> even, odd;
    hn::LoadInterleaved2(d, values + j, even, odd);
    hn::StoreU(hn::BitCast(d, pair(rounded(even), rounded(odd))), d, pairs + j / 2);
  }
  return j;
}

HWY_ATTR std::int64_t round_row_pairs(const float* first, const float* second, std::int64_t count,
                                      float* pairs) {
  const Tag d;
  const std::int64_t lanes = static_cast<std::int64_t>(hn::Lanes(d));
  std::int64_t j = 0;
  for (; j + lanes <= count; j += lanes) {
    const auto high = second ? hn::LoadU(d, second + j) : hn::Zero(d);
    hn::StoreU(hn::BitCast(d, pair(rounded(hn::LoadU(d, first + j)), rounded(high))), d, pairs + j);
  }
  return j;
}

// One row of each of `panels` whole panels, which are `panel_stride` elements apart.
HWY_ATTR void swap_pairs(const float* first, const float* second, std::int64_t panels,
                         std::int64_t panel_stride, float* packed) {
  const Tag d;
  const Bits u;
  const std::int64_t lanes = static_cast<std::int64_t>(hn::Lanes(d));
  for (std::int64_t panel = 0; panel < panels; ++panel)
    for (std::int64_t j = 0; j < kPanel / 2; j += lanes) {
      const std::int64_t at = panel * (kPanel / 2) + j;
      const auto a = hn::BitCast(u, hn::LoadU(d, first + at));
      const auto b = second ? hn::BitCast(u, hn::LoadU(d, second + at)) : hn::Zero(u);
      const auto even = hn::Or(hn::And(a, hn::Set(u, 0xFFFF)), hn::ShiftLeft<16>(b));
      const auto odd = pair(a, b);
      hn::StoreInterleaved2(hn::BitCast(d, even), hn::BitCast(d, odd), d,
                            packed + panel * panel_stride + 2 * j);
    }
}

}  // namespace hyperllm::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace hyperllm::kernels {

HWY_EXPORT(round_to_pairs);
HWY_EXPORT(round_row_pairs);
HWY_EXPORT(swap_pairs);

namespace {

constexpr std::int64_t kNearDepth = 192;

std::uint32_t bits_of(float value) { return std::bit_cast<std::uint32_t>(value); }

std::uint32_t rounded(float value) {
  const std::uint32_t bits = bits_of(value);
  if (std::isnan(value)) return (bits | 0x400000) >> 16;
  return (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16;
}

float pair(std::uint32_t low, std::uint32_t high) { return std::bit_cast<float>(low | high << 16); }

// Denormal numbers count as zero in the processors' products.
float flushed(float value) {
  return std::abs(value) < std::numeric_limits<float>::min() ? std::copysign(0.0f, value) : value;
}
float low(float element) { return flushed(std::bit_cast<float>(bits_of(element) << 16)); }
float high(float element) { return flushed(std::bit_cast<float>(bits_of(element) & 0xFFFF0000u)); }

// Of A in quads of rows. The products are exact, so that multiplying and adding is one rounding.
void multiply_portable(const float* a, const float* b, std::int64_t m, std::int64_t n, std::int64_t k,
                       float* c, std::int64_t stride, bool add) {
  constexpr std::int64_t kQuad = 4;
  for (std::int64_t i = 0; i < m; ++i)
    for (std::int64_t j = 0; j < n; ++j) {
      float sum = 0;
      for (std::int64_t p = 0; p < k; ++p) {
        const float x = a[i / kQuad * kQuad * k + p * kQuad + i % kQuad], y = b[p * kPanel + j];
        sum = flushed(sum + high(x) * high(y));
        sum = flushed(sum + low(x) * low(y));
      }
      c[i * stride + j] = add ? c[i * stride + j] + sum : sum;
    }
}

}  // namespace

bool has_bfloat16(Bfloat16 kind) {
  if (kind == Bfloat16::kAvx512) return x86_has_avx512_bf16();
  if (kind == Bfloat16::kAmx) return x86_has_amx_bf16();
  return true;
}

const PanelEngine& bfloat16_panels(Bfloat16 kind) {
  HYPERLLM_CHECK(has_bfloat16(kind), ErrorCode::kUnavailable,
                 kind == Bfloat16::kAmx ? "bfloat16: this CPU or system has no AMX"
                                        : "bfloat16: this CPU has no AVX512-BF16");
  const PanelEngine& quads = float_panels();
  const auto engine = [&quads](const char* name, auto multiply) {
    PanelEngine pairs = quads;
    pairs.name = name;
    pairs.pairs = true;
    pairs.near_depth = kNearDepth;
    pairs.multiply = multiply;
    return pairs;
  };
  static const PanelEngine portable = engine("bfloat16, portable", multiply_portable);
  static const PanelEngine avx512 = engine("bfloat16, AVX512-BF16", x86_multiply_avx512_bf16);
  static const PanelEngine amx{.name = "bfloat16, AMX",
                               .pairs = true,
                               .row_multiple = 16,
                               .depth_multiple = 16,
                               .near_depth = kNearDepth,
                               .columns = kPanel,
                               .halves = 2,
                               .pack_rows = x86_pack_rows_amx,
                               .pack_columns = x86_pack_columns_amx,
                               .pack_panels = pack_panel_rows,
                               .pack_panel_transposed = pack_panel_columns,
                               .multiply = x86_multiply_amx};
  return kind == Bfloat16::kPortable ? portable : kind == Bfloat16::kAvx512 ? avx512 : amx;
}

bool has_fast_bfloat16() { return has_bfloat16(Bfloat16::kAvx512) || has_bfloat16(Bfloat16::kAmx); }

const PanelEngine& fastest_bfloat16_panels() {
  return bfloat16_panels(has_bfloat16(Bfloat16::kAmx) ? Bfloat16::kAmx : Bfloat16::kAvx512);
}

void round_to_pairs(const float* values, std::int64_t count, float* pairs) {
  for (std::int64_t j = HWY_DYNAMIC_DISPATCH(round_to_pairs)(values, count, pairs); j < count; j += 2)
    pairs[j / 2] = pair(rounded(values[j]), j + 1 < count ? rounded(values[j + 1]) : 0);
}

void round_row_pairs(const float* first, const float* second, std::int64_t count, float* pairs) {
  for (std::int64_t j = HWY_DYNAMIC_DISPATCH(round_row_pairs)(first, second, count, pairs); j < count; ++j)
    pairs[j] = pair(rounded(first[j]), second ? rounded(second[j]) : 0);
}

void pack_row_pairs(const float* source, std::int64_t stride, std::int64_t rows, std::int64_t columns,
                    std::int64_t depth, float* packed) {
  const std::int64_t whole = columns / kPanel, panels = (columns + kPanel - 1) / kPanel, k = (rows + 1) / 2;
  for (std::int64_t p = 0; p < k; ++p) {
    const float* first = source + 2 * p * stride;
    const float* second = 2 * p + 1 < rows ? first + stride : nullptr;
    HWY_DYNAMIC_DISPATCH(swap_pairs)(first, second, whole, depth * kPanel, packed + p * kPanel);
    if (whole == panels) continue;
    float* out = packed + (whole * depth + p) * kPanel;
    for (std::int64_t j = whole * kPanel; j < panels * kPanel; ++j, ++out) {
      const std::uint32_t shift = j % 2 ? 16 : 0;
      const std::uint32_t a = j < columns ? bits_of(first[j / 2]) >> shift & 0xFFFF : 0,
                          b = j < columns && second ? bits_of(second[j / 2]) >> shift & 0xFFFF : 0;
      *out = pair(a, b);
    }
  }
  for (std::int64_t panel = 0; panel < panels; ++panel)
    std::fill(packed + (panel * depth + k) * kPanel, packed + (panel + 1) * depth * kPanel, 0.0f);
}

}  // namespace hyperllm::kernels
#endif  // HWY_ONCE
