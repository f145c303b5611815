#include "hyperllm/kernels/contrast_tiles.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <utility>
#include <vector>

#include "hyperllm/base/scratch.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "hyperllm/kernels/contrast_tiles.cpp"
// foreach_target.h must come first.
// clang-format off
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
#include <hwy/cache_control.h>
// clang-format on

#include "hyperllm/kernels/contrast_weights-inl.h"
#include "hyperllm/kernels/row_math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace hyperllm::kernels::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

// Tiles sized to the registers: 32 of them, or 16.
#if HWY_TARGET == HWY_AVX3 || HWY_ARCH_ARM
constexpr std::size_t kRowVectors = 4, kColumnTile = 6, kGradColumns = 8;
#else
constexpr std::size_t kRowVectors = 2, kColumnTile = 6, kGradColumns = 4;
#endif
constexpr std::size_t kRows = kTileRows, kStripe = kRowVectors * kLanes;
constexpr std::size_t kChunk = 96;                  // columns whose q stay in the first cache
constexpr std::size_t kPendingChunk = 10 * kChunk;  // columns whose waiting products follow one another
constexpr std::size_t kWidthTile = 6;               // coordinates of a row gradient at a time
constexpr std::size_t kFlush = 17;  // chunks whose row sums are added in float before they go to double
constexpr std::size_t kPanel = kPanelVectors * kLanes;
constexpr std::size_t kFold = kLanes < 4 ? 1 : 4;  // columns whose sums share a vector
static_assert(kRows % kStripe == 0 && kChunk % kColumnTile == 0 && kGradColumns % kFold == 0);

// sum[c][r] += x[c * x_stride] * (vector r at v). Loops around it are unrolled: their other instructions take
// the place of multiplications.
template <std::size_t kScalars, std::size_t kVectors>
HWY_ATTR HWY_INLINE void add_products(const float* HWY_RESTRICT x, std::size_t x_stride,
                                      const float* HWY_RESTRICT v, V (&sum)[kScalars][kVectors]) {
  const D d;
  V vector[kVectors];
#pragma GCC unroll 8
  for (std::size_t r = 0; r < kVectors; ++r) vector[r] = hn::Load(d, v + r * kLanes);
#pragma GCC unroll 8
  for (std::size_t c = 0; c < kScalars; ++c) {
    const V scalar = hn::Set(d, x[c * x_stride]);
#pragma GCC unroll 8
    for (std::size_t r = 0; r < kVectors; ++r) sum[c][r] = hn::MulAdd(scalar, vector[r], sum[c][r]);
  }
}

// v[c * stride + i] = start + sum_k y[c][k] rows[k][i] for one stripe of rows and kColumnTile columns.
HWY_ATTR HWY_INLINE void score_tile(const float* HWY_RESTRICT rows, const float* HWY_RESTRICT y,
                                    std::size_t width, float start, float* HWY_RESTRICT v,
                                    std::size_t stride) {
  const D d;
  V sum[kColumnTile][kRowVectors];
#pragma GCC unroll 8
  for (std::size_t c = 0; c < kColumnTile; ++c)
#pragma GCC unroll 8
    for (std::size_t r = 0; r < kRowVectors; ++r) sum[c][r] = hn::Set(d, start);
#pragma GCC unroll 2
  for (std::size_t k = 0; k < width; ++k) add_products(y + k, width, rows + k * kRows, sum);
#pragma GCC unroll 8
  for (std::size_t c = 0; c < kColumnTile; ++c)
#pragma GCC unroll 8
    for (std::size_t r = 0; r < kRowVectors; ++r) hn::Store(sum[c][r], d, v + c * stride + r * kLanes);
}

HWY_ATTR void scores(const float* rows, const float* y, std::size_t width, std::size_t count, float* v) {
  for (std::size_t i = 0; i < kRows; i += kStripe)
    for (std::size_t j = 0; j < count; j += kColumnTile)
      score_tile(rows + i, y + j * width, width, 0, v + j * kRows + i, kRows);
}

#if HYPERLLM_CONTRAST_DISTANCES
// Scores, then at once q for `count` columns; adds e to z (kRows floats).
template <class InRegisters, class Table>
HWY_ATTR void weights(const Table& table, const float* rows, const float* y, std::size_t width,
                      std::size_t count, float* HWY_RESTRICT q, float* HWY_RESTRICT z) {
  static_assert(kColumnTile % InRegisters::kTogether == 0);
  const D d;
  const auto start = static_cast<float>(table.shift);
  alignas(64) float v[kColumnTile * kStripe];
  for (std::size_t i = 0; i < kRows; i += kStripe)
    for (std::size_t j = 0; j < count; j += kColumnTile) {
      score_tile(rows + i, y + j * width, width, start, v, kStripe);
      const InRegisters registers(table);
      for (std::size_t r = 0; r < kStripe; r += kLanes) {
        V sum = hn::Load(d, z + i + r);
        float* to = q + j * kRows + i + r;
        if (j + kColumnTile <= count) {
#pragma GCC unroll 4
          for (std::size_t c = 0; c < kColumnTile; c += InRegisters::kTogether)
            sum = registers.template columns<InRegisters::kTogether>(v + c * kStripe + r, kStripe,
                                                                     to + c * kRows, sum);
        } else {
          for (std::size_t c = 0; c < count - j; ++c)
            sum = registers.template columns<1>(v + c * kStripe + r, kStripe, to + c * kRows, sum);
        }
        hn::Store(sum, d, z + i + r);
      }
    }
}
#endif

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
#pragma GCC unroll 2
  for (std::size_t j = 0; j < count; ++j) add_products(y + j * width, 1, q + j * kRows, sum);
#pragma GCC unroll 8
  for (std::size_t k = 0; k < kCount; ++k)
#pragma GCC unroll 8
    for (std::size_t r = 0; r < kRowVectors; ++r) hn::Store(sum[k][r], d, sums + k * kRows + r * kLanes);
}

HWY_ATTR void row_gradients(const float* q, const float* y, std::size_t width, std::size_t count,
                            float* sums) {
  for (std::size_t i = 0; i < kRows; i += kStripe) {
    const auto tile = [&]<std::size_t kCount>(std::size_t k) HWY_ATTR {
      row_gradient_tile<kCount>(q + i, y + k, width, count, sums + k * kRows + i);
    };
    std::size_t k = 0;
    // Twice four rather than six and two: two have too few sums under way.
    for (; k + kWidthTile <= width && width - k != 8; k += kWidthTile)
      tile.template operator()<kWidthTile>(k);
    while (k + 4 <= width) tile.template operator()<4>(std::exchange(k, k + 4));
    if (k + 2 <= width) tile.template operator()<2>(std::exchange(k, k + 2));
    if (k < width) tile.template operator()<1>(k);
  }
}

std::int64_t lanes_in_use() { return kLanes; }
std::int64_t fold_in_use() { return kFold; }
bool uses_weight_table() { return HYPERLLM_CONTRAST_WEIGHTS; }
bool uses_distance_table() { return HYPERLLM_CONTRAST_DISTANCES; }

// sums[j * stride + k] += sum_i q[j][i] scaled[i][k] for kGradColumns columns and a panel of kVectors vectors
// of coordinates. Prefetches what the next tile reads: a line of q and one of the sums for each 16 floats.
template <std::size_t kVectors>
HWY_ATTR HWY_INLINE void column_gradient_tile(const float* HWY_RESTRICT q, const float* HWY_RESTRICT scaled,
                                              std::size_t stride, bool first, float* HWY_RESTRICT sums) {
  const D d;
  V sum[kGradColumns][kVectors];
#pragma GCC unroll 8
  for (std::size_t j = 0; j < kGradColumns; ++j)
#pragma GCC unroll 8
    for (std::size_t k = 0; k < kVectors; ++k) sum[j][k] = hn::Zero(d);
  const float* const nexts[] = {q + kGradColumns * kRows, sums + kGradColumns * stride};
  for (const float* next : nexts) {
#pragma GCC unroll 4
    for (std::size_t i = 0; i < kRows / 2; ++i) {
      hwy::Prefetch(next + i * 16);
      add_products(q + i, kRows, scaled + i * kVectors * kLanes, sum);
    }
    q += kRows / 2;
    scaled += kRows / 2 * kVectors * kLanes;
  }
#pragma GCC unroll 8
  for (std::size_t j = 0; j < kGradColumns; ++j)
#pragma GCC unroll 8
    for (std::size_t k = 0; k < kVectors; ++k) {
      float* at = sums + j * stride + k * kLanes;
      hn::Store(first ? sum[j][k] : hn::Add(hn::Load(d, at), sum[j][k]), d, at);
    }
}

// Adds up lanes that are four apart, or leaves them: lane c of each four is of column c.
HWY_ATTR HWY_INLINE V folded(const V (&sum)[kFold]) {
#if HWY_TARGET == HWY_SCALAR
  return sum[0];
#else
  const D d;
  const hn::RepartitionToWide<D> pairs;
  const auto first = hn::BitCast(pairs, hn::Add(hn::InterleaveLower(d, sum[0], sum[1]),
                                                hn::InterleaveUpper(d, sum[0], sum[1]))),
             second = hn::BitCast(pairs, hn::Add(hn::InterleaveLower(d, sum[2], sum[3]),
                                                 hn::InterleaveUpper(d, sum[2], sum[3])));
  return hn::Add(hn::BitCast(d, hn::InterleaveLower(pairs, first, second)),
                 hn::BitCast(d, hn::InterleaveUpper(pairs, first, second)));
#endif
}

// The coordinates that fill no vector: sums[c] (a vector for kFold columns) += q[j] * scaled[c] over the
// rows.
template <std::size_t kCount>
HWY_ATTR HWY_INLINE void rest_gradients(const float* HWY_RESTRICT q, const float* HWY_RESTRICT scaled,
                                        bool first, float* HWY_RESTRICT sums) {
  const D d;
  for (std::size_t j = 0; j < kGradColumns; j += kFold) {
    V sum[kCount][kFold];
#pragma GCC unroll 4
    for (std::size_t c = 0; c < kCount; ++c)
#pragma GCC unroll 4
      for (std::size_t f = 0; f < kFold; ++f) sum[c][f] = hn::Zero(d);
#pragma GCC unroll 4
    for (std::size_t i = 0; i < kRows; i += kLanes)
#pragma GCC unroll 4
      for (std::size_t f = 0; f < kFold; ++f) {
        const V weight = hn::Load(d, q + (j + f) * kRows + i);
#pragma GCC unroll 4
        for (std::size_t c = 0; c < kCount; ++c)
          sum[c][f] = hn::MulAdd(weight, hn::Load(d, scaled + c * kRows + i), sum[c][f]);
      }
#pragma GCC unroll 4
    for (std::size_t c = 0; c < kCount; ++c, sums += kLanes) {
      const V all = folded(sum[c]);
      hn::Store(first ? all : hn::Add(hn::Load(d, sums), all), d, sums);
    }
  }
}

// Columns [begin, end), which start and end at multiples of kGradColumns.
HWY_ATTR void column_gradients(const PendingTile& tile, const float* q, std::size_t begin, std::size_t end) {
  const auto width = static_cast<std::size_t>(tile.main_width), rest = static_cast<std::size_t>(tile.rest);
  for (std::size_t j = begin; j < end; j += kGradColumns) {
    const float* weights = q + j * kRows;
    float* sums = tile.sums + j * width;
    float* rest_sums = tile.rest_sums + j / kFold * rest * kLanes;
    std::size_t k = 0;
    for (; k + kPanel <= width; k += kPanel)
      column_gradient_tile<kPanelVectors>(weights, tile.scaled + k * kRows, width, tile.first, sums + k);
    for (; k < width; k += kLanes)
      column_gradient_tile<1>(weights, tile.scaled + k * kRows, width, tile.first, sums + k);
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

HWY_ATTR void add_floats(const float* from, std::int64_t count, double* to) {
  for_columns(count, [&](auto d, std::int64_t i)
                         HWY_ATTR { hn::StoreU(hn::Add(load(d, to + i), load(d, from + i)), d, to + i); });
}

// The sums of columns [begin, end) over all lanes, in rows of `width` doubles.
HWY_ATTR void total_sums(std::span<const PendingTile> lanes, std::int64_t begin, std::int64_t end,
                         std::int64_t width, double* sums) {
  constexpr auto kVector = static_cast<std::int64_t>(kLanes), kOfVector = static_cast<std::int64_t>(kFold);
  const std::int64_t rest = lanes[0].rest, main_width = lanes[0].main_width, in_main = width - rest;
  for (std::int64_t j = begin; j < end; ++j, sums += width) {
    for_columns(in_main, [&](auto d, std::int64_t k) HWY_ATTR {
      auto sum = hn::Zero(d);
      for (const PendingTile& lane : lanes) sum = hn::Add(sum, load(d, lane.sums + j * main_width + k));
      hn::StoreU(sum, d, sums + k);
    });
    for (std::int64_t c = 0; c < rest; ++c) {
      const std::int64_t of_column = (j / kOfVector * rest + c) * kVector + j % kOfVector;
      double sum = 0;
      for (const PendingTile& lane : lanes)
        for (std::int64_t at = 0; at < kVector; at += kOfVector) sum += lane.rest_sums[of_column + at];
      sums[in_main + c] = sum;
    }
  }
}

double rows_of_tile(const ContrastShape& shape, const ContrastRows& tile, const PendingTile* pending,
                    float* q, double* z, double* shift, double* sums) {
  const auto width = static_cast<std::size_t>(shape.width);
  const auto columns = static_cast<std::size_t>(shape.columns),
             padded = static_cast<std::size_t>(shape.padded());
  alignas(64) float chunk_z[kRows], start[kRows];
  const Scratch sums_of_chunks(width * kRows);  // width x kRows
  float* chunk_sums = sums_of_chunks.data();
  std::fill(z, z + kRows, 0.0);
  std::fill(start, start + kRows, std::numeric_limits<float>::max());
  std::vector<double> all_sums(sums ? width * kRows : 0);  // width x kRows
  const bool exact = !tile.weights && !tile.distances;
  const auto finish_pending = [&](std::size_t j) {
    if (pending && j % kPendingChunk == 0)
      column_gradients(*pending, q, j, std::min(j + kPendingChunk, padded));
  };
  if (exact) {
    for (std::size_t j = 0; j < columns; j += kChunk) {
      const std::size_t count = std::min(kChunk, columns - j);
      finish_pending(j);
      scores(tile.rows, tile.y + j * width, width, count, q + j * kRows);
      smallest_scores(q + j * kRows, count, start);
    }
    for (std::size_t i = 0; i < kRows; ++i) {
      const double a = std::acosh(std::max(1.0, static_cast<double>(start[i])));
      start[i] = static_cast<float>(a * a);
    }
  }
  for (std::size_t i = 0; i < kRows; ++i) shift[i] = exact ? start[i] : 0.0;

  std::size_t chunk = 0;
  for (std::size_t j = 0; j < columns; j += kChunk, ++chunk) {
    const std::size_t count = std::min(kChunk, columns - j);
    if (!exact) finish_pending(j);
    std::fill(chunk_z, chunk_z + kRows, 0.0f);
#if HYPERLLM_CONTRAST_WEIGHTS
    if (tile.weights)
      weights<WeightsInRegisters>(*tile.weights, tile.rows, tile.y + j * width, width, count, q + j * kRows,
                                  chunk_z);
#endif
#if HYPERLLM_CONTRAST_DISTANCES
    if (tile.distances)
      weights<DistancesInRegisters>(*tile.distances, tile.rows, tile.y + j * width, width, count,
                                    q + j * kRows, chunk_z);
#endif
    if (exact) exact_weights(static_cast<float>(1 / tile.tau), start, q + j * kRows, count, chunk_z);
    for (std::size_t i = 0; i < kRows; ++i) z[i] += chunk_z[i];
    if (!sums) continue;
    if (chunk % kFlush == 0) std::fill(chunk_sums, chunk_sums + width * kRows, 0.0f);
    row_gradients(q + j * kRows, tile.y + j * width, width, count, chunk_sums);
    if (chunk % kFlush == kFlush - 1 || j + kChunk >= columns)
      add_floats(chunk_sums, static_cast<std::int64_t>(width * kRows), all_sums.data());
  }
  for (std::size_t i = 0; sums && i < kRows; ++i)
    for (std::size_t k = 0; k < width; ++k) sums[i * width + k] = all_sums[k * kRows + i];
  std::fill(q + columns * kRows, q + padded * kRows, 0.0f);
  return tile.weights ? tile.weights->scale : exact ? -2 / tile.tau : std::numbers::ln2;
}

}  // namespace hyperllm::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace hyperllm::kernels {

HWY_EXPORT(rows_of_tile);
HWY_EXPORT(lanes_in_use);
HWY_EXPORT(column_gradients);
HWY_EXPORT(total_sums);
HWY_EXPORT(fold_in_use);
HWY_EXPORT(uses_weight_table);
HWY_EXPORT(uses_distance_table);

bool contrast_has_weight_table() { return HWY_DYNAMIC_DISPATCH(uses_weight_table)(); }
bool contrast_has_distance_table() { return HWY_DYNAMIC_DISPATCH(uses_distance_table)(); }

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
      rest_sums_(shape.padded() / HWY_DYNAMIC_DISPATCH(fold_in_use)() * rest_ * lanes_),
      scaled_main_(kTileRows * main_width_),
      scaled_rest_(rest_ * kTileRows),
      tile_{main_width_,       rest_, scaled_main_.data(), scaled_rest_.data(), main_.data(),
            rest_sums_.data(), true} {
  std::fill_n(scaled_main_.data(), kTileRows * main_width_, 0.0f);
}

void ContrastSums::add(const float* rows, std::int64_t count, const double* share) {
  const std::int64_t in_main = shape_.width - rest_, panel = kPanelVectors * lanes_;
  const auto scaled = [&](std::int64_t i, std::int64_t k) {
    return i < count ? static_cast<float>(share[i] * rows[i * shape_.width + k]) : 0;
  };
  for (std::int64_t first = 0, size; first < in_main; first += size) {
    size = first + panel <= main_width_ ? panel : lanes_;
    for (std::int64_t i = 0; i < kTileRows; ++i)
      for (std::int64_t k = 0; k < std::min(size, in_main - first); ++k)
        scaled_main_.data()[first * kTileRows + i * size + k] = scaled(i, first + k);
  }
  for (std::int64_t c = 0; c < rest_; ++c)
    for (std::int64_t i = 0; i < kTileRows; ++i)
      scaled_rest_.data()[c * kTileRows + i] = scaled(i, in_main + c);
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
}

void ContrastSums::total(std::span<const std::optional<ContrastSums>> lanes, std::int64_t begin,
                         std::int64_t end, double* sums) {
  std::vector<PendingTile> tiles;
  for (const std::optional<ContrastSums>& lane : lanes)
    if (lane) tiles.push_back(lane->tile_);
  HWY_DYNAMIC_DISPATCH(total_sums)(tiles, begin, end, lanes[0]->shape_.width, sums);
}

}  // namespace hyperllm::kernels
#endif  // HWY_ONCE
