#include "hyperllm/kernels/contrast_tiles.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <utility>

#include "hyperllm/base/scratch.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "hyperllm/kernels/contrast_tiles.cpp"
// foreach_target.h must come first.
// clang-format off
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
#include <hwy/cache_control.h>
#include <hwy/contrib/math/math-inl.h>
// clang-format on

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

// Tiles sized to the registers: 32 of them, or 16.
#if HWY_TARGET == HWY_AVX3 || HWY_ARCH_ARM
constexpr std::size_t kRowVectors = 4, kColumnTile = 6, kGradColumns = 8;
#else
constexpr std::size_t kRowVectors = 2, kColumnTile = 6, kGradColumns = 4;
#endif
constexpr std::size_t kRows = kTileRows, kStripe = kRowVectors * kLanes;
constexpr std::size_t kChunk = 96;  // columns whose q stay in the first cache
constexpr std::size_t kAtOnce = HWY_TARGET == HWY_AVX3 ? 4 : 1;
constexpr std::size_t kWidthTile = 5;  // coordinates of a row gradient at a time
constexpr std::size_t kFlush = 21;     // chunks whose row sums are added in float before they go to double
static_assert(kRows % kStripe == 0 && kChunk % kColumnTile == 0);

// v[c][i] = sum_k y[c][k] rows[k][i] for one stripe of rows and kColumnTile columns.
HWY_ATTR HWY_INLINE void score_tile(const float* HWY_RESTRICT rows, const float* HWY_RESTRICT y,
                                    std::size_t width, float* HWY_RESTRICT v) {
  const D d;
  V sum[kColumnTile][kRowVectors];
#pragma GCC unroll 8
  for (std::size_t c = 0; c < kColumnTile; ++c)
#pragma GCC unroll 8
    for (std::size_t r = 0; r < kRowVectors; ++r) sum[c][r] = hn::Zero(d);
  for (std::size_t k = 0; k < width; ++k) {
    V row[kRowVectors];
#pragma GCC unroll 8
    for (std::size_t r = 0; r < kRowVectors; ++r) row[r] = hn::Load(d, rows + k * kRows + r * kLanes);
#pragma GCC unroll 8
    for (std::size_t c = 0; c < kColumnTile; ++c) {
      const V coordinate = hn::Set(d, y[c * width + k]);
#pragma GCC unroll 8
      for (std::size_t r = 0; r < kRowVectors; ++r) sum[c][r] = hn::MulAdd(coordinate, row[r], sum[c][r]);
    }
  }
#pragma GCC unroll 8
  for (std::size_t c = 0; c < kColumnTile; ++c)
#pragma GCC unroll 8
    for (std::size_t r = 0; r < kRowVectors; ++r) hn::Store(sum[c][r], d, v + c * kRows + r * kLanes);
}

HWY_ATTR void scores(const float* rows, const float* y, std::size_t width, std::size_t count, float* v) {
  for (std::size_t i = 0; i < kRows; i += kStripe)
    for (std::size_t j = 0; j < count; j += kColumnTile)
      score_tile(rows + i, y + j * width, width, v + j * kRows + i);
}

// sums[k][i] += sum_j q[j][i] y[j][k] for kCount coordinates from `y` and `sums` on, one stripe of rows.
template <std::size_t kCount>
HWY_ATTR HWY_INLINE void row_gradient_tile(const float* HWY_RESTRICT q, const float* HWY_RESTRICT y,
                                           std::size_t width, std::size_t count, float* HWY_RESTRICT sums) {
  const D d;
  V sum[kCount][kRowVectors];
#pragma GCC unroll 8
  for (std::size_t k = 0; k < kCount; ++k)
#pragma GCC unroll 8
    for (std::size_t r = 0; r < kRowVectors; ++r) sum[k][r] = hn::Load(d, sums + k * kRows + r * kLanes);
  for (std::size_t j = 0; j < count; ++j) {
    V weight[kRowVectors];
#pragma GCC unroll 8
    for (std::size_t r = 0; r < kRowVectors; ++r) weight[r] = hn::Load(d, q + j * kRows + r * kLanes);
#pragma GCC unroll 8
    for (std::size_t k = 0; k < kCount; ++k) {
      const V coordinate = hn::Set(d, y[j * width + k]);
#pragma GCC unroll 8
      for (std::size_t r = 0; r < kRowVectors; ++r) sum[k][r] = hn::MulAdd(coordinate, weight[r], sum[k][r]);
    }
  }
#pragma GCC unroll 8
  for (std::size_t k = 0; k < kCount; ++k)
#pragma GCC unroll 8
    for (std::size_t r = 0; r < kRowVectors; ++r) hn::Store(sum[k][r], d, sums + k * kRows + r * kLanes);
}

HWY_ATTR void row_gradients(const float* q, const float* y, std::size_t width, std::size_t count,
                            float* sums) {
  for (std::size_t i = 0; i < kRows; i += kStripe) {
    std::size_t k = 0;
    for (; k + kWidthTile <= width; k += kWidthTile)
      row_gradient_tile<kWidthTile>(q + i, y + k, width, count, sums + k * kRows + i);
    for (; k < width; ++k) row_gradient_tile<1>(q + i, y + k, width, count, sums + k * kRows + i);
  }
}

#undef HYPERLLM_CONTRAST_TABLE
#if HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_AVX2
#define HYPERLLM_CONTRAST_TABLE 1
#else
#define HYPERLLM_CONTRAST_TABLE 0
#endif

#if HYPERLLM_CONTRAST_TABLE
// Sixteen floats, looked up by the low four bits of a lane.
struct Sixteen {
  using Ints = hn::VFromD<hn::RebindToSigned<D>>;
#if HWY_TARGET == HWY_AVX3
  using Piece = Ints;
  V all;
  HWY_ATTR HWY_INLINE void load(const float* values) { all = hn::Load(D(), values); }
  HWY_ATTR HWY_INLINE static Piece piece(Ints index) { return index; }
  HWY_ATTR HWY_INLINE V at(Piece piece) const {
    return hn::TableLookupLanes(all, hn::IndicesFromVec(D(), piece));
  }
#else
  struct Piece {
    Ints lane;
    hn::Mask<D> upper;
  };
  V low, high;
  HWY_ATTR HWY_INLINE void load(const float* values) {
    low = hn::Load(D(), values);
    high = hn::Load(D(), values + kLanes);
  }
  HWY_ATTR HWY_INLINE static Piece piece(Ints index) {
    const hn::RebindToSigned<D> di;
    return {hn::And(index, hn::Set(di, 7)), hn::RebindMask(D(), hn::TestBit(index, hn::Set(di, 8)))};
  }
  HWY_ATTR HWY_INLINE V at(Piece piece) const {
    const auto lanes = hn::IndicesFromVec(D(), piece.lane);
    return hn::IfThenElse(piece.upper, hn::TableLookupLanes(high, lanes), hn::TableLookupLanes(low, lanes));
  }
#endif
};

// The polynomials in registers, and what follows them.
struct TableInRegisters {
  static constexpr int kDegree = DistanceTable::kDegree;
  Sixteen centre, coefficient[kDegree + 1];

  HWY_ATTR HWY_INLINE explicit TableInRegisters(const DistanceTable& table) {
    centre.load(table.centre.data());
#pragma GCC unroll 8
    for (int p = 0; p <= kDegree; ++p) coefficient[p].load(table.coefficient[p].data());
  }

  // kAtOnce columns, operation by operation: the processor looks ahead over few of them only.
  template <std::size_t kAtOnce>
  HWY_ATTR HWY_INLINE V columns(float* HWY_RESTRICT v, V sum) const {
    const D d;
    const hn::RebindToSigned<D> di;
    const V one = hn::Set(d, 1.0f), magic = hn::Set(d, 12582912.0f);  // 1.5 * 2^23: adding it rounds
    // 2^r on [-0.5, 0.5] with a relative error of 9.2e-8 (least squares, weighted towards the largest error).
    const V powers[] = {hn::Set(d, 9.671513511e-3f), hn::Set(d, 5.550733784e-2f), hn::Set(d, 2.402224207e-1f),
                        hn::Set(d, 6.931469776e-1f), one};
    V t[kAtOnce], slope[kAtOnce], g[kAtOnce], e[kAtOnce];
    typename Sixteen::Piece piece[kAtOnce];
#define HYPERLLM_EACH _Pragma("GCC unroll 8") for (std::size_t c = 0; c < kAtOnce; ++c)
    HYPERLLM_EACH t[c] = hn::Load(d, v + c * kRows);
    HYPERLLM_EACH piece[c] = Sixteen::piece(hn::ShiftRight<21>(hn::BitCast(di, t[c])));
    HYPERLLM_EACH t[c] = hn::Sub(t[c], centre.at(piece[c]));
    HYPERLLM_EACH slope[c] = coefficient[kDegree].at(piece[c]);
    HYPERLLM_EACH g[c] = hn::MulAdd(slope[c], t[c], coefficient[kDegree - 1].at(piece[c]));
#pragma GCC unroll 8
    for (int p = kDegree - 2; p >= 0; --p) {
      HYPERLLM_EACH slope[c] = hn::MulAdd(slope[c], t[c], g[c]);
      HYPERLLM_EACH g[c] = hn::MulAdd(g[c], t[c], coefficient[p].at(piece[c]));
    }
    HYPERLLM_EACH t[c] = hn::Add(g[c], magic);  // rounded, in the low bits
    HYPERLLM_EACH g[c] = hn::Sub(g[c], hn::Sub(t[c], magic));
    HYPERLLM_EACH e[c] = hn::Set(d, 1.326471499e-3f);
#pragma GCC unroll 8
    for (const V& power : powers) {
      HYPERLLM_EACH e[c] = hn::MulAdd(e[c], g[c], power);
    }
    HYPERLLM_EACH {
      e[c] = hn::BitCast(d, hn::Add(hn::BitCast(di, e[c]), hn::ShiftLeft<23>(hn::BitCast(di, t[c]))));
      sum = hn::Add(sum, e[c]);
      hn::Store(hn::Mul(e[c], slope[c]), d, v + c * kRows);
    }
#undef HYPERLLM_EACH
    return sum;
  }
};

// v (in) to q (out) for `count` columns; adds e to z (kRows floats).
HWY_ATTR void table_epilogue(const DistanceTable& table, float* HWY_RESTRICT v, std::size_t count,
                             float* HWY_RESTRICT z) {
  const D d;
  const TableInRegisters registers(table);
  for (std::size_t i = 0; i < kRows; i += kLanes) {
    V sum = hn::Load(d, z + i);
    std::size_t j = 0;
    for (; j + kAtOnce <= count; j += kAtOnce) sum = registers.columns<kAtOnce>(v + j * kRows + i, sum);
    for (; j < count; ++j) sum = registers.columns<1>(v + j * kRows + i, sum);
    hn::Store(sum, d, z + i);
  }
}
#endif  // HYPERLLM_CONTRAST_TABLE

// The same with closed forms; shift: kRows floats.
HWY_ATTR void exact_epilogue(float inverse_tau, const float* HWY_RESTRICT shift, float* HWY_RESTRICT v,
                             std::size_t count, float* HWY_RESTRICT z) {
  const D d;
  const V zero = hn::Zero(d), one = hn::Set(d, 1.0f), two = hn::Set(d, 2.0f), third = hn::Set(d, 1.0f / 3),
          scale = hn::Set(d, inverse_tau);
  for (std::size_t i = 0; i < kRows; i += kLanes) {
    V sum = hn::Load(d, z + i);
    const V start = hn::Load(d, shift + i);
    for (std::size_t j = 0; j < count; ++j) {
      float* at = v + j * kRows + i;
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

HWY_ATTR void smallest_scores(const float* v, std::size_t count, float* smallest) {
  const D d;
  for (std::size_t i = 0; i < kRows; i += kLanes) {
    V least = hn::Load(d, smallest + i);
    for (std::size_t j = 0; j < count; ++j) least = hn::Min(least, hn::Load(d, v + j * kRows + i));
    hn::Store(least, d, smallest + i);
  }
}

std::int64_t lanes_in_use() { return kLanes; }

// sums[j][k] += sum_i q[j][i] scaled[i][k] for kGradColumns columns and kVectors vectors of coordinates.
template <std::size_t kVectors>
HWY_ATTR HWY_INLINE void column_gradient_tile(const float* HWY_RESTRICT q, const float* HWY_RESTRICT scaled,
                                              std::size_t stride, bool first, float* HWY_RESTRICT sums) {
  const D d;
  V sum[kGradColumns][kVectors];
#pragma GCC unroll 8
  for (std::size_t j = 0; j < kGradColumns; ++j)
#pragma GCC unroll 8
    for (std::size_t k = 0; k < kVectors; ++k) sum[j][k] = hn::Zero(d);
  for (std::size_t i = 0; i < kRows; ++i) {
    // What the next tile reads: one line of q for each 16 floats, one of the sums.
    if (i < kGradColumns * kRows / 16)
      hwy::Prefetch(q + (kGradColumns * kRows + i * 16));
    else
      hwy::Prefetch(sums + (kGradColumns * stride + (i - kGradColumns * kRows / 16) * 16));
    V row[kVectors];
#pragma GCC unroll 8
    for (std::size_t k = 0; k < kVectors; ++k) row[k] = hn::Load(d, scaled + i * stride + k * kLanes);
#pragma GCC unroll 8
    for (std::size_t j = 0; j < kGradColumns; ++j) {
      const V weight = hn::Set(d, q[j * kRows + i]);
#pragma GCC unroll 8
      for (std::size_t k = 0; k < kVectors; ++k) sum[j][k] = hn::MulAdd(weight, row[k], sum[j][k]);
    }
  }
#pragma GCC unroll 8
  for (std::size_t j = 0; j < kGradColumns; ++j)
#pragma GCC unroll 8
    for (std::size_t k = 0; k < kVectors; ++k) {
      float* at = sums + j * stride + k * kLanes;
      hn::Store(first ? sum[j][k] : hn::Add(hn::Load(d, at), sum[j][k]), d, at);
    }
}

// The coordinates that fill no vector: sums[j][c] += q[j] * scaled[c] over the rows, lane by lane.
template <std::size_t kCount>
HWY_ATTR HWY_INLINE void rest_gradients(const float* HWY_RESTRICT q, const float* HWY_RESTRICT scaled,
                                        bool first, float* HWY_RESTRICT sums) {
  const D d;
  // As many rows at a time as their vectors stay in registers.
  constexpr std::size_t kPart = 4 * kLanes;
  for (std::size_t i = 0; i < kRows; i += kPart) {
    V row[kCount][4];
#pragma GCC unroll 4
    for (std::size_t c = 0; c < kCount; ++c)
#pragma GCC unroll 4
      for (std::size_t r = 0; r < 4; ++r) row[c][r] = hn::Load(d, scaled + c * kRows + i + r * kLanes);
    for (std::size_t j = 0; j < kGradColumns; ++j) {
      V sum[kCount];
#pragma GCC unroll 4
      for (std::size_t c = 0; c < kCount; ++c)
        sum[c] = first && i == 0 ? hn::Zero(d) : hn::Load(d, sums + (j * kCount + c) * kLanes);
#pragma GCC unroll 4
      for (std::size_t r = 0; r < 4; ++r) {
        const V weight = hn::Load(d, q + j * kRows + i + r * kLanes);
#pragma GCC unroll 4
        for (std::size_t c = 0; c < kCount; ++c) sum[c] = hn::MulAdd(weight, row[c][r], sum[c]);
      }
#pragma GCC unroll 4
      for (std::size_t c = 0; c < kCount; ++c) hn::Store(sum[c], d, sums + (j * kCount + c) * kLanes);
    }
  }
}

HWY_ATTR void fold_lanes(const float* sums, std::size_t count, float* out) {
  const D d;
  for (std::size_t i = 0; i < count; ++i)
    out[i] = hn::GetLane(hn::SumOfLanes(d, hn::Load(d, sums + i * kLanes)));
}

// Columns [begin, end), which start and end at multiples of kGradColumns.
HWY_ATTR void column_gradients(const PendingTile& tile, const float* q, std::size_t begin, std::size_t end) {
  const auto width = static_cast<std::size_t>(tile.main_width), rest = static_cast<std::size_t>(tile.rest);
  for (std::size_t j = begin; j < end; j += kGradColumns) {
    const float* weights = q + j * kRows;
    float* sums = tile.sums + j * width;
    float* rest_sums = tile.rest_sums + j * rest * kLanes;
    std::size_t k = 0;
    for (; k + 3 * kLanes <= width; k += 3 * kLanes)
      column_gradient_tile<3>(weights, tile.scaled + k, width, tile.first, sums + k);
    for (; k < width; k += kLanes)
      column_gradient_tile<1>(weights, tile.scaled + k, width, tile.first, sums + k);
    switch (rest) {
      case 1:
        rest_gradients<1>(weights, tile.scaled_rest, tile.first, rest_sums);
        break;
      case 2:
        rest_gradients<2>(weights, tile.scaled_rest, tile.first, rest_sums);
        break;
      case 3:
        rest_gradients<3>(weights, tile.scaled_rest, tile.first, rest_sums);
        break;
      default:
        break;
    }
  }
}

double rows_of_tile(const ContrastShape& shape, const ContrastRows& tile, const PendingTile* pending,
                    float* q, double* z, double* shift, double* sums) {
  const auto width = static_cast<std::size_t>(shape.width);
  const auto columns = static_cast<std::size_t>(shape.columns),
             padded = static_cast<std::size_t>(shape.padded());
  const bool with_table = HYPERLLM_CONTRAST_TABLE && tile.table;
  alignas(64) float chunk_z[kRows], start[kRows];
  const Scratch sums_of_chunks(width * kRows);
  float* chunk_sums = sums_of_chunks.data();
  std::fill(z, z + kRows, 0.0);
  std::fill(start, start + kRows, std::numeric_limits<float>::max());
  if (sums) std::fill(sums, sums + width * kRows, 0.0);
  const auto chunk_scores = [&](std::size_t j) {
    const std::size_t count = std::min(kChunk, columns - j);
    if (pending) column_gradients(*pending, q, j, std::min(j + kChunk, padded));
    scores(tile.rows, tile.y + j * width, width, (count + kColumnTile - 1) / kColumnTile * kColumnTile,
           q + j * kRows);
    return count;
  };
  if (!with_table) {
    for (std::size_t j = 0; j < columns; j += kChunk) {
      const std::size_t count = chunk_scores(j);
      smallest_scores(q + j * kRows, count, start);
    }
    for (std::size_t i = 0; i < kRows; ++i) {
      const double a = std::acosh(std::max(1.0, static_cast<double>(start[i])));
      start[i] = static_cast<float>(a * a);
    }
  }
  for (std::size_t i = 0; i < kRows; ++i) shift[i] = with_table ? 0.0 : start[i];

  std::size_t chunk = 0;
  for (std::size_t j = 0; j < columns; j += kChunk, ++chunk) {
    const std::size_t count = with_table ? chunk_scores(j) : std::min(kChunk, columns - j);
    std::fill(chunk_z, chunk_z + kRows, 0.0f);
#if HYPERLLM_CONTRAST_TABLE
    if (with_table) table_epilogue(*tile.table, q + j * kRows, count, chunk_z);
#endif
    if (!with_table) exact_epilogue(static_cast<float>(1 / tile.tau), start, q + j * kRows, count, chunk_z);
    for (std::size_t i = 0; i < kRows; ++i) z[i] += chunk_z[i];
    if (!sums) continue;
    if (chunk % kFlush == 0) std::fill(chunk_sums, chunk_sums + width * kRows, 0.0f);
    row_gradients(q + j * kRows, tile.y + j * width, width, count, chunk_sums);
    if (chunk % kFlush == kFlush - 1 || j + kChunk >= columns)
      for (std::size_t at = 0; at < width * kRows; ++at) sums[at] += chunk_sums[at];
  }
  std::fill(q + columns * kRows, q + padded * kRows, 0.0f);
  return with_table ? std::numbers::ln2 : -2 / tile.tau;
}

}  // namespace hyperllm::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace hyperllm::kernels {

HWY_EXPORT(rows_of_tile);
HWY_EXPORT(lanes_in_use);
HWY_EXPORT(column_gradients);
HWY_EXPORT(fold_lanes);

double contrast_rows(const ContrastShape& shape, const ContrastRows& tile, ContrastSums* columns, float* q,
                     double* z, double* shift, double* row_sums) {
  const std::optional<PendingTile> pending = columns ? columns->take() : std::nullopt;
  return HWY_DYNAMIC_DISPATCH(rows_of_tile)(shape, tile, pending ? &*pending : nullptr, q, z, shift,
                                            row_sums);
}

ContrastSums::ContrastSums(const ContrastShape& shape)
    : shape_(shape),
      lanes_(HWY_DYNAMIC_DISPATCH(lanes_in_use)()),
      rest_(shape.width % lanes_ <= 3 ? shape.width % lanes_ : 0),
      main_width_((shape.width - rest_ + lanes_ - 1) / lanes_ * lanes_),
      main_(shape.padded() * main_width_),
      rest_sums_(shape.padded() * rest_ * lanes_),
      scaled_main_(kTileRows * main_width_),
      scaled_rest_(rest_ * kTileRows),
      folded_(shape.padded() * rest_),
      tile_{main_width_,       rest_, scaled_main_.data(), scaled_rest_.data(), main_.data(),
            rest_sums_.data(), true} {
  std::fill_n(scaled_main_.data(), kTileRows * main_width_, 0.0f);
}

void ContrastSums::add(const float* scaled) {
  const std::int64_t in_main = shape_.width - rest_;
  for (std::int64_t i = 0; i < kTileRows; ++i) {
    std::copy_n(scaled + i * shape_.width, in_main, scaled_main_.data() + i * main_width_);
    for (std::int64_t c = 0; c < rest_; ++c)
      scaled_rest_.data()[c * kTileRows + i] = scaled[i * shape_.width + in_main + c];
  }
  waiting_ = true;
}

std::optional<PendingTile> ContrastSums::take() {
  if (!std::exchange(waiting_, false)) return std::nullopt;
  const PendingTile pending = tile_;
  tile_.first = false;
  return pending;
}

void ContrastSums::finish(const float* q) {
  if (const std::optional<PendingTile> pending = take())
    HWY_DYNAMIC_DISPATCH(column_gradients)(*pending, q, 0, static_cast<std::size_t>(shape_.padded()));
  HWY_DYNAMIC_DISPATCH(fold_lanes)
  (rest_sums_.data(), static_cast<std::size_t>(shape_.padded() * rest_), folded_.data());
}

void ContrastSums::add_row(std::int64_t j, std::span<double> sums) const {
  const std::int64_t in_main = shape_.width - rest_;
  for (std::int64_t k = 0; k < in_main; ++k) sums[k] += main_.data()[j * main_width_ + k];
  for (std::int64_t c = 0; c < rest_; ++c) sums[in_main + c] += folded_.data()[j * rest_ + c];
}

}  // namespace hyperllm::kernels
#endif  // HWY_ONCE
