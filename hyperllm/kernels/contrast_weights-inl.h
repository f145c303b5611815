// From v_ij to q_ij and the sums of e_ij, for the tiles of hyperllm/kernels/contrast_tiles.cpp, whose lanes
// these are. Included once for each instruction set.
#if defined(HYPERLLM_CONTRAST_WEIGHTS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef HYPERLLM_CONTRAST_WEIGHTS_INL_H_
#undef HYPERLLM_CONTRAST_WEIGHTS_INL_H_
#else
#define HYPERLLM_CONTRAST_WEIGHTS_INL_H_
#endif

#include <hwy/highway.h>

#include <cstddef>

#include "hyperllm/kernels/contrast_tables.h"
#include "hyperllm/kernels/contrast_tiles.h"
// After highway.h.
#include <hwy/contrib/math/math-inl.h>

HWY_BEFORE_NAMESPACE();
namespace hyperllm::kernels::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

// A fixed size, so that arrays of vectors exist and stay in registers.
#if HWY_TARGET == HWY_AVX3
constexpr std::size_t kLanes = 16;
#elif HWY_TARGET == HWY_AVX2
constexpr std::size_t kLanes = 8;
#elif HWY_TARGET == HWY_SCALAR
constexpr std::size_t kLanes = 1;
#else
constexpr std::size_t kLanes = 4;
#endif
using D = hn::CappedTag<float, kLanes>;
using V = hn::Vec<D>;
using DI = hn::RebindToSigned<D>;

#undef HYPERLLM_CONTRAST_DISTANCES
#undef HYPERLLM_CONTRAST_WEIGHTS
#define HYPERLLM_CONTRAST_DISTANCES (HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_AVX2)
#define HYPERLLM_CONTRAST_WEIGHTS (HWY_TARGET == HWY_AVX3)

// Operation by operation over a few vectors: the processor looks ahead over few of them only.
#define HYPERLLM_EACH _Pragma("GCC unroll 8") for (std::size_t c = 0; c < kAtOnce; ++c)

#if HYPERLLM_CONTRAST_DISTANCES
// Eight floats, looked up by the low three bits of a lane.
struct Eight {
  using Piece = hn::VFromD<DI>;
  V all;  // with sixteen lanes: twice
  HWY_ATTR HWY_INLINE void load(const float* values) { all = hn::Load(D(), values); }
#if HWY_TARGET == HWY_AVX3
  HWY_ATTR HWY_INLINE V at(Piece piece) const { return V{_mm512_permutexvar_ps(piece.raw, all.raw)}; }
#else
  HWY_ATTR HWY_INLINE V at(Piece piece) const { return V{_mm256_permutevar8x32_ps(all.raw, piece.raw)}; }
#endif
};

// Piecewise polynomials in registers; Entries holds a number for each piece.
template <class Entries, class Table>
struct PolynomialsInRegisters {
  static constexpr int kDegree = Table::kDegree;
  Entries coefficient[kDegree + 1];

  HWY_ATTR HWY_INLINE explicit PolynomialsInRegisters(const Table& table) {
#pragma GCC unroll 8
    for (int p = 0; p <= kDegree; ++p) coefficient[p].load(table.coefficient[p].data());
  }

  // Values and slopes at kAtOnce vectors, `stride` apart.
  template <std::size_t kAtOnce>
  HWY_ATTR HWY_INLINE void evaluate(const float* HWY_RESTRICT at, std::size_t stride, V (&value)[kAtOnce],
                                    V (&slope)[kAtOnce]) const {
    const D d;
    const DI di;
    // A piece is all floats with the same leading bits; the next bit alone is its middle.
    const V leading = hn::BitCast(d, hn::Set(di, -(1 << Table::kShift))),
            middle = hn::BitCast(d, hn::Set(di, 1 << (Table::kShift - 1)));
    V t[kAtOnce];
    typename Entries::Piece piece[kAtOnce];
    HYPERLLM_EACH t[c] = hn::Load(d, at + c * stride);
    HYPERLLM_EACH piece[c] = hn::ShiftRight<Table::kShift>(hn::BitCast(di, t[c]));
    HYPERLLM_EACH t[c] = hn::Sub(t[c], hn::OrAnd(middle, t[c], leading));
    HYPERLLM_EACH slope[c] = coefficient[kDegree].at(piece[c]);
    HYPERLLM_EACH value[c] = hn::MulAdd(slope[c], t[c], coefficient[kDegree - 1].at(piece[c]));
#pragma GCC unroll 8
    for (int p = kDegree - 2; p >= 0; --p) {
      HYPERLLM_EACH slope[c] = hn::MulAdd(slope[c], t[c], value[c]);
      HYPERLLM_EACH value[c] = hn::MulAdd(value[c], t[c], coefficient[p].at(piece[c]));
    }
  }
};

struct DistancesInRegisters : PolynomialsInRegisters<Eight, DistanceTable> {
  static constexpr std::size_t kTogether = 6;  // vectors for `columns`

  HWY_ATTR HWY_INLINE explicit DistancesInRegisters(const DistanceTable& table)
      : PolynomialsInRegisters(table) {}

  // kAtOnce vectors of u, `stride` apart, to q; adds their e to `sum`. In two passes: what one vector needs
  // is a chain of some twenty operations, too long for the processor to have enough of them under way.
  template <std::size_t kAtOnce>
  HWY_ATTR HWY_INLINE V columns(const float* HWY_RESTRICT u, std::size_t stride, float* HWY_RESTRICT q,
                                V sum) const {
    const D d;
    const DI di;
    const V one = hn::Set(d, 1.0f), magic = hn::Set(d, 12582912.0f);  // 1.5 * 2^23: adding it rounds
    // 2^r on [-0.5, 0.5] with a relative error of 9.2e-8 (least squares, weighted towards the largest error).
    const V powers[] = {hn::Set(d, 9.671513511e-3f), hn::Set(d, 5.550733784e-2f), hn::Set(d, 2.402224207e-1f),
                        hn::Set(d, 6.931469776e-1f), one};
    alignas(64) float values[kAtOnce * kLanes];
    constexpr std::size_t kPair = kAtOnce % 2 == 0 ? 2 : 1;
    for (std::size_t c = 0; c < kAtOnce; c += kPair) {
      V value[kPair], slope[kPair];
      evaluate<kPair>(u + c * stride, stride, value, slope);
#pragma GCC unroll 2
      for (std::size_t i = 0; i < kPair; ++i) {
        hn::Store(value[i], d, values + (c + i) * kLanes);
        hn::Store(slope[i], d, q + (c + i) * kTileRows);
      }
    }
    V r[kAtOnce], e[kAtOnce];
    HYPERLLM_EACH r[c] = hn::Load(d, values + c * kLanes);
    HYPERLLM_EACH r[c] = hn::Sub(r[c], hn::Sub(hn::Add(r[c], magic), magic));
    HYPERLLM_EACH e[c] = hn::Set(d, 1.326471499e-3f);
#pragma GCC unroll 8
    for (const V& power : powers) {
      HYPERLLM_EACH e[c] = hn::MulAdd(e[c], r[c], power);
    }
    HYPERLLM_EACH {
      const V rounded = hn::Add(hn::Load(d, values + c * kLanes), magic);  // in the low bits
      e[c] = hn::BitCast(d, hn::Add(hn::BitCast(di, e[c]), hn::ShiftLeft<23>(hn::BitCast(di, rounded))));
      sum = hn::Add(sum, e[c]);
      hn::Store(hn::Mul(e[c], hn::Load(d, q + c * kTileRows)), d, q + c * kTileRows);
    }
    return sum;
  }
};
#endif  // HYPERLLM_CONTRAST_DISTANCES

#if HYPERLLM_CONTRAST_WEIGHTS
// Thirty-two floats, looked up by the low five bits of a lane.
struct ThirtyTwo {
  using Piece = hn::VFromD<DI>;
  __m512 low, high;
  HWY_ATTR HWY_INLINE void load(const float* values) {
    low = _mm512_load_ps(values);
    high = _mm512_load_ps(values + kLanes);
  }
  HWY_ATTR HWY_INLINE V at(Piece piece) const { return V{_mm512_permutex2var_ps(low, piece.raw, high)}; }
};

struct WeightsInRegisters : PolynomialsInRegisters<ThirtyTwo, WeightTable> {
  static constexpr std::size_t kTogether = 3;  // vectors for `columns`

  HWY_ATTR HWY_INLINE explicit WeightsInRegisters(const WeightTable& table) : PolynomialsInRegisters(table) {}

  // As above.
  template <std::size_t kAtOnce>
  HWY_ATTR HWY_INLINE V columns(const float* HWY_RESTRICT u, std::size_t stride, float* HWY_RESTRICT q,
                                V sum) const {
    V slope[kAtOnce], e[kAtOnce];
    evaluate<kAtOnce>(u, stride, e, slope);
    HYPERLLM_EACH {
      sum = hn::Add(sum, e[c]);
      hn::Store(slope[c], D(), q + c * kTileRows);
    }
    return sum;
  }
};
#endif  // HYPERLLM_CONTRAST_WEIGHTS
#undef HYPERLLM_EACH

// The same with closed forms, v to q in place; shift, z: kTileRows.
HWY_ATTR inline void exact_weights(float inverse_tau, const float* HWY_RESTRICT shift, float* HWY_RESTRICT v,
                                   std::size_t count, float* HWY_RESTRICT z) {
  const D d;
  const V zero = hn::Zero(d), one = hn::Set(d, 1.0f), two = hn::Set(d, 2.0f), third = hn::Set(d, 1.0f / 3),
          scale = hn::Set(d, inverse_tau);
  for (std::size_t i = 0; i < kTileRows; i += kLanes) {
    V sum = hn::Load(d, z + i);
    const V start = hn::Load(d, shift + i);
    for (std::size_t j = 0; j < count; ++j) {
      float* at = v + j * kTileRows + i;
      // log1p(t + sqrt(t (t + 2))) keeps the digits that acosh(1 + t) loses near t = 0.
      const V t = hn::Max(hn::Sub(hn::Load(d, at), one), zero);
      const V s = hn::Sqrt(hn::Mul(t, hn::Add(t, two)));
      const V a = hn::Log1p(d, hn::Add(t, s));
      const V slope = hn::IfThenElse(hn::Lt(t, hn::Set(d, 1e-4f)), hn::NegMulAdd(t, third, one),
                                     hn::Div(a, hn::Max(s, hn::Set(d, 1e-6f))));
      const V e = hn::Exp(d, hn::Mul(hn::NegMulAdd(a, a, start), scale));
      sum = hn::Add(sum, e);
      hn::Store(hn::Mul(e, slope), d, at);
    }
    hn::Store(sum, d, z + i);
  }
}

HWY_ATTR inline void smallest_scores(const float* v, std::size_t count, float* smallest) {
  const D d;
  for (std::size_t i = 0; i < kTileRows; i += kLanes) {
    V least = hn::Load(d, smallest + i);
    for (std::size_t j = 0; j < count; ++j) least = hn::Min(least, hn::Load(d, v + j * kTileRows + i));
    hn::Store(least, d, smallest + i);
  }
}

}  // namespace hyperllm::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
