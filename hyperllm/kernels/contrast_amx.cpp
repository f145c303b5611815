#include "hyperllm/kernels/contrast_amx.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "hyperllm/base/parallel.h"
#include "hyperllm/kernels/bfloat16_x86.h"
#include "hyperllm/kernels/contrast.h"

#if defined(__x86_64__) && defined(__linux__) && defined(__GNUC__)
#include "hyperllm/kernels/contrast_amx-inl.h"

namespace hyperllm::kernels {
namespace {

// The polynomials of WeightTable in registers, or their derivatives by v: of t = (u - centre) / octave, for
// which the bits of u need no look-up of the centre.
template <bool kSlope>
struct Table {
  static constexpr int kDegree = WeightTable::kDegree - (kSlope ? 1 : 0);
  static constexpr float kMiddle = 1 + 1.0f / WeightTable::kPieces;
  __m512 low[kDegree + 1], high[kDegree + 1];

  HYPERLLM_AMX explicit Table(const WeightTable& table) {
    double of_low = kSlope ? table.scale : 1, of_high = of_low;
    for (int p = 0; p <= kDegree; ++p, of_low *= 8, of_high *= 4) {
      const double by_slope = kSlope ? p + 1 : 1;
      const float* from = table.coefficient[p + (kSlope ? 1 : 0)].data();
      low[p] = _mm512_mul_ps(_mm512_load_ps(from), _mm512_set1_ps(static_cast<float>(by_slope * of_low)));
      high[p] =
          _mm512_mul_ps(_mm512_load_ps(from + kLine), _mm512_set1_ps(static_cast<float>(by_slope * of_high)));
    }
  }
  HYPERLLM_AMX __m512 at(const float* u) const {
    const __m512i bits = _mm512_castps_si512(_mm512_load_ps(u)),
                  one = _mm512_castps_si512(_mm512_set1_ps(1.0f)),
                  below = _mm512_set1_epi32((1 << WeightTable::kShift) - 1),
                  piece = _mm512_maskz_srli_epi32(0xFFFF, bits, WeightTable::kShift);
    constexpr int kFirstAndSecondOrThird = 0xEA;
    const __m512i s = _mm512_ternarylogic_epi32(bits, below, one, kFirstAndSecondOrThird);
    const __m512 t = _mm512_sub_ps(_mm512_castsi512_ps(s), _mm512_set1_ps(kMiddle));
    __m512 sum = _mm512_permutex2var_ps(low[kDegree], piece, high[kDegree]);
#pragma GCC unroll 8
    for (int p = kDegree - 1; p >= 0; --p)
      sum = _mm512_fmadd_ps(sum, t, _mm512_permutex2var_ps(low[p], piece, high[p]));
    return sum;
  }
};

using Weights = Table<false>;
using Slopes = Table<true>;

// Adds the e of a block's columns to the sums of its rows; a step is eight columns of 16 rows.
struct AddWeights {
  const Weights& table;
  float* sums;  // kRows
  const float* u = nullptr;
  std::int64_t columns = 0, line = 0;  // those left; the first row of the next step

  HYPERLLM_AMX void step() {
    if (columns >= 8) add<8>();
  }
  HYPERLLM_AMX void finish() {
    while (columns >= 8) add<8>();
    while (columns > 0) add<1>();
  }

 private:
  template <int kColumns>
  HYPERLLM_AMX void add() {
    __m512 sum = _mm512_load_ps(sums + line);
#pragma GCC unroll 8
    for (int j = 0; j < kColumns; ++j) sum = _mm512_add_ps(sum, table.at(u + j * kRows + line));
    _mm512_store_ps(sums + line, sum);
    line = (line + kLine) % kRows;
    if (line > 0) return;
    u += kColumns * kRows;
    columns -= kColumns;
  }
};

// Makes the weights of a block, in two parts, for both gradients; a step is two columns of 32 rows.
struct MakeWeights {
  static constexpr std::int64_t kSteps = kBlock / 2 * (kRows / kBlock);
  const Slopes& table;
  const float* u;
  float *for_columns, *for_rows;
  std::int64_t at = 0;

  HYPERLLM_AMX void step() {
    if (at == kSteps) return;
    const std::int64_t j = at / 2 * 2, i = at % 2;
    ++at;
    const float* from = u + j * kRows + i * kBlock;
    const __m512 a0 = table.at(from), a1 = table.at(from + kLine), b0 = table.at(from + kRows),
                 b1 = table.at(from + kRows + kLine);
    const __m512 a0_high = nearest(a0), a1_high = nearest(a1), b0_high = nearest(b0), b1_high = nearest(b1);
    float* left = for_columns + j / kLine * kLine * kRows + i * kWeightBlock + j % kLine * kLine;
    float* right = for_rows + 2 * i * kWeightBlock + j / 2 * kLine;
    store(_mm512_cvtne2ps_pbh(a1_high, a0_high), _mm512_cvtne2ps_pbh(b1_high, b0_high), left, right);
    store(_mm512_cvtne2ps_pbh(_mm512_sub_ps(a1, a1_high), _mm512_sub_ps(a0, a0_high)),
          _mm512_cvtne2ps_pbh(_mm512_sub_ps(b1, b1_high), _mm512_sub_ps(b0, b0_high)), left + kBlockFloats,
          right + kBlockFloats);
  }
  HYPERLLM_AMX void finish() {
    while (at < kSteps) step();
  }

 private:
  // One part: rows of a left operand, and pairs of a right one, whose columns are then in another order.
  HYPERLLM_AMX static void store(__m512bh first, __m512bh second, float* left, float* right) {
    const auto a = reinterpret_cast<__m512i>(first), b = reinterpret_cast<__m512i>(second);
    _mm512_store_si512(left, a);
    _mm512_store_si512(left + kLine, b);
    _mm512_store_si512(right, _mm512_maskz_unpacklo_epi16(0xFFFFFFFF, a, b));
    _mm512_store_si512(right + kWeightBlock, _mm512_maskz_unpackhi_epi16(0xFFFFFFFF, a, b));
  }
};

// The place of row i in a tile's row sums, whose weights MakeWeights interleaves.
constexpr std::int64_t position(std::int64_t i) {
  return i / 32 * 32 + i % 8 / 4 * 16 + i % 32 / 8 * 4 + i % 4;
}

}  // namespace

AmxContrast::AmxContrast(const float* x, std::int64_t rows, const float* y, std::int64_t columns,
                         std::int64_t width, const WeightTable& table)
    : x_(x),
      rows_(rows),
      columns_(columns),
      width_(width),
      table_(table),
      tiles_((rows + kRows - 1) / kRows),
      lanes_(std::min(contrast_lanes(columns), blocks(columns))),
      lane_columns_(blocks((columns + lanes_ - 1) / lanes_) * kBlock),
      x_points_(tiles_ * rows_size(width)),
      y_points_(points_size(columns, width)),
      y_transposed_(transposed_size(columns, width)),
      x_scaled_(tiles_ * scaled_size(width)),
      row_sums_(lanes_ * tiles_ * sums_size(width)),
      column_sums_(blocks(columns) * kBlock * padded(width)) {
  parallel_blocks(blocks(columns), [&](std::int64_t block) {
    const std::int64_t begin = block * kBlock;
    pack_points(y + begin * width, std::min(kBlock, columns - begin), width,
                y_points_.data() + points_size(begin, width),
                y_transposed_.data() + transposed_size(begin, width));
  });
  parallel_blocks(tiles_, [&](std::int64_t tile) {
    pack_rows(x + tile * kRows * width, std::min(kRows, rows - tile * kRows), width,
              static_cast<float>(table.scale), static_cast<float>(table.shift),
              x_points_.data() + tile * rows_size(width));
  });
}

void AmxContrast::weight_sums(std::span<double> z) const {
  std::fill(z.begin(), z.end(), 0.0);
  parallel_ranges(tiles_, (tiles_ + 7) / 8,
                  [&](std::int64_t begin, std::int64_t end) { weight_sums_of_tiles(begin, end, z.data()); });
}

HYPERLLM_AMX void AmxContrast::weight_sums_of_tiles(std::int64_t begin, std::int64_t end, double* z) const {
  const Weights table(table_);
  const Scratch buffer(2 * kWeightsSize);
  alignas(64) float sums[kRows];
  x86_configure_tiles();
  for (std::int64_t near = 0; near < columns_; near += kNear)
    for (std::int64_t tile = begin; tile < end; ++tile) {
      const float* rows = x_points_.data() + tile * rows_size(width_);
      std::fill(sums, sums + kRows, 0.0f);
      AddWeights work{table, sums};  // of the block before
      float *u = buffer.data(), *other = u + kWeightsSize;
      for (std::int64_t j = near; j < std::min(near + kNear, columns_); j += kBlock) {
        scores(y_points_.data() + points_size(j, width_), rows, width_, u, work);
        work.finish();
        work.u = u;
        work.columns = std::min(kBlock, columns_ - j);
        std::swap(u, other);
      }
      work.finish();
      for (std::int64_t i = 0; i < std::min(kRows, rows_ - tile * kRows); ++i) z[tile * kRows + i] += sums[i];
    }
  x86_release_tiles();
}

void AmxContrast::gradients(std::span<const double> share) {
  parallel_blocks(tiles_, [&](std::int64_t tile) {
    const std::int64_t begin = tile * kRows;
    pack_scaled(x_ + begin * width_, &share[begin], std::min(kRows, rows_ - begin), width_,
                x_scaled_.data() + tile * scaled_size(width_));
  });
  parallel_blocks(lanes_, [&](std::int64_t lane) { gradients_of_lane(lane); });
}

HYPERLLM_AMX void AmxContrast::gradients_of_lane(std::int64_t lane) {
  const std::int64_t begin = lane * lane_columns_, end = std::min(begin + lane_columns_, columns_);
  float* lane_sums = row_sums_.data() + lane * tiles_ * sums_size(width_);
  if (begin >= end) return void(std::fill(lane_sums, lane_sums + tiles_ * sums_size(width_), 0.0f));
  const Scratch buffer((4 + kBatch) * kWeightsSize);
  float *u = buffer.data(), *for_columns = u + 2 * kWeightsSize, *for_rows = u + 4 * kWeightsSize;
  const Slopes table(table_);
  NoWork nothing;
  x86_configure_tiles();
  for (std::int64_t near = begin; near < end; near += kNear) {
    const std::int64_t across = blocks(std::min(near + kNear, end) - near), count = tiles_ * across;
    // Block b is `across` to a tile; while its weights are made, the block before is added to the columns'
    // sums, and the one behind it gets its scores.
    const auto block_scores = [&](std::int64_t b, auto& work) HYPERLLM_AMX {
      scores(y_points_.data() + points_size(near + b % across * kBlock, width_),
             x_points_.data() + b / across * rows_size(width_), width_, u + b % 2 * kWeightsSize, work);
    };
    const auto block_columns = [&](std::int64_t b, auto& work) HYPERLLM_AMX {
      const std::int64_t tile = b / across;
      column_gradients(for_columns + b % 2 * kWeightsSize, x_scaled_.data() + tile * scaled_size(width_),
                       width_, tile == 0, column_sums_.data() + (near + b % across * kBlock) * padded(width_),
                       work);
    };
    block_scores(0, nothing);
    for (std::int64_t b = 0; b < count; ++b) {
      const std::int64_t in_tile = b % across, in_batch = in_tile % kBatch;
      MakeWeights work{table, u + b % 2 * kWeightsSize, for_columns + b % 2 * kWeightsSize,
                       for_rows + in_batch * kWeightsSize};
      if (b > 0) block_columns(b - 1, work);
      if (b + 1 < count) block_scores(b + 1, work);
      work.finish();
      if (in_batch + 1 < kBatch && in_tile + 1 < across) continue;
      const std::int64_t batch = near + (in_tile - in_batch) * kBlock;
      row_gradients(y_transposed_.data() + transposed_size(batch, width_), for_rows, in_batch + 1, width_,
                    batch == begin, lane_sums + b / across * sums_size(width_));
    }
    block_columns(count - 1, nothing);
  }
  x86_release_tiles();
}

HYPERLLM_AMX void AmxContrast::row_sums(std::int64_t tile, double* sums) const {
  std::vector<double> all((width_ + 1) * kRows);
  for (std::int64_t lane = 0; lane < lanes_; ++lane) {
    const float* from = row_sums_.data() + (lane * tiles_ + tile) * sums_size(width_);
    for (std::size_t at = 0; at < all.size(); ++at) all[at] += from[at];
  }
  for (std::int64_t i = 0; i < kRows; ++i, sums += width_) {
    for (std::int64_t k = 0; k < width_; ++k) sums[k] = all[k * kRows + position(i)];
    sums[0] += all[width_ * kRows + position(i)];
  }
}

HYPERLLM_AMX void AmxContrast::add_columns(std::int64_t begin, std::int64_t end, double* sums) const {
  for (std::int64_t j = begin; j < end; ++j, sums += width_) {
    const float* from = column_sums_.data() + j * padded(width_);
    for (std::int64_t k = 0; k < width_; ++k) sums[k] += from[k];
    sums[0] += from[width_];
  }
}

}  // namespace hyperllm::kernels

#else

namespace hyperllm::kernels {

AmxContrast::AmxContrast(const float*, std::int64_t, const float*, std::int64_t, std::int64_t,
                         const WeightTable& table)
    : table_(table),
      x_points_(0),
      y_points_(0),
      y_transposed_(0),
      x_scaled_(0),
      row_sums_(0),
      column_sums_(0) {}
void AmxContrast::weight_sums(std::span<double>) const {}
void AmxContrast::gradients(std::span<const double>) {}
void AmxContrast::row_sums(std::int64_t, double*) const {}
void AmxContrast::add_columns(std::int64_t, std::int64_t, double*) const {}

}  // namespace hyperllm::kernels

#endif
