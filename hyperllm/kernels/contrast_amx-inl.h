// Operands and products of AmxContrast in the form of the tile registers. For
// hyperllm/kernels/contrast_amx.cpp only.
#pragma once

#include <algorithm>
#include <cstdint>

#include "hyperllm/base/scratch.h"
#include "hyperllm/kernels/amx_parts-inl.h"
#include "hyperllm/kernels/contrast_amx.h"

namespace hyperllm::kernels {
namespace {

constexpr std::int64_t kRows = AmxContrast::kTile;
// Coordinates and columns come in multiples of kBlock; so many columns are in work at a time.
constexpr std::int64_t kNear = 1024;  // columns whose points and sums stay in the second cache
constexpr std::int64_t kBatch = 8;    // blocks of columns whose weights wait for the rows' gradients
constexpr int kWeightParts = 2;
constexpr std::int64_t kWeightBlock = kWeightParts * kBlockFloats, kWeightsSize = kBlock * kRows;

// Gradients have the time as two coordinates, 0 and `width`: points near the cap all have the same one, whose
// lost bits would not cancel.
std::int64_t padded(std::int64_t width) { return blocks(width + 1) * kBlock; }
HYPERLLM_AMX inline void split_time(float* row, std::int64_t width) {
  row[width] = row[0] - nearest(row[0]);
  row[0] -= row[width];
}

// The products of parts that make a score, as {of y, of x}; each changes one side.
constexpr int kHigh = 0, kMiddle = 1, kLow = 2, kTerms = 5, kColumnParts = 3, kRowParts = 2;
constexpr int kTerm[kTerms][2] = {
    {kHigh, kHigh}, {kHigh, kMiddle}, {kMiddle, kMiddle}, {kMiddle, kHigh}, {kLow, kHigh}};
// Scores have one more coordinate, whose product is WeightTable's shift. The unit adds up even and odd
// coordinates apart: as the next even one after the time, it takes away what is large before more is rounded.
constexpr std::int64_t kShiftCoordinate = 2;

// The coordinates of scores: those that fill blocks, whose parts are operands of several products, and the
// rest, of which each term has places of its own in `rest_blocks` more. Behind them stands the low part of
// x's time, the only one that counts.
struct ScoreDepth {
  std::int64_t whole, rest, rest_blocks;

  explicit ScoreDepth(std::int64_t width)
      : whole((width + 1) / kBlock), rest((width + 1) % kBlock), rest_blocks(blocks(kTerms * rest + 1)) {}
  std::int64_t coordinates() const { return (whole + 1) * kBlock; }
  std::int64_t columns() const { return (whole * kColumnParts + rest_blocks) * kBlockFloats; }  // of 16
  std::int64_t rows() const { return (whole * kRowParts + rest_blocks) * 4 * kBlockFloats; }
};

// Sizes of packed operands, in floats.
std::int64_t points_size(std::int64_t columns, std::int64_t width) {
  return blocks(columns) * 2 * ScoreDepth(width).columns();
}
std::int64_t transposed_size(std::int64_t columns, std::int64_t width) {
  return blocks(columns) * padded(width) / kLine * kWeightBlock;
}
std::int64_t rows_size(std::int64_t width) { return ScoreDepth(width).rows(); }
std::int64_t scaled_size(std::int64_t width) { return kRows / kBlock * padded(width) / kLine * kWeightBlock; }
std::int64_t sums_size(std::int64_t width) { return padded(width) * kRows; }  // of a tile of rows

// Four blocks of results, tiles 0 to 3: (0 1 / 2 3). Left operands: tiles 4 and 5; right ones: 6 and 7.
HYPERLLM_AMX inline void load_left(const float* first, const float* second) {
  _tile_loadd(4, first, 64);
  _tile_loadd(5, second, 64);
}
HYPERLLM_AMX inline void load_right(const float* first, const float* second) {
  _tile_loadd(6, first, 64);
  _tile_loadd(7, second, 64);
}
template <class Work>
HYPERLLM_AMX inline void multiply(Work& work) {
  _tile_dpbf16ps(0, 4, 6);
  _tile_dpbf16ps(1, 4, 7);
  _tile_dpbf16ps(2, 5, 6);
  _tile_dpbf16ps(3, 5, 7);
  work.step();
}
HYPERLLM_AMX inline void zero_results() {
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
}
HYPERLLM_AMX inline void load_results(const float* c, std::int64_t stride) {
  const long bytes = static_cast<long>(stride * 4);
  _tile_loadd(0, c, bytes);
  _tile_loadd(1, c + kLine, bytes);
  _tile_loadd(2, c + kLine * stride, bytes);
  _tile_loadd(3, c + kLine * stride + kLine, bytes);
}
HYPERLLM_AMX inline void store_results(float* c, std::int64_t stride) {
  const long bytes = static_cast<long>(stride * 4);
  _tile_stored(0, c, bytes);
  _tile_stored(1, c + kLine, bytes);
  _tile_stored(2, c + kLine * stride, bytes);
  _tile_stored(3, c + kLine * stride + kLine, bytes);
}

// One block of kBlock columns of y, rows of `width`, of which `count` exist. The others weigh
// nothing for the rows, and for the scores they are the origin: a point, so that nothing overflows.
HYPERLLM_AMX void pack_points(const float* y, std::int64_t count, std::int64_t width, float* points,
                              float* transposed) {
  const ScoreDepth depth(width);
  const std::int64_t all = depth.coordinates();
  const Scratch scratch(kBlock * all + depth.rest_blocks * kBlock);
  float *rows = scratch.data(), *places = rows + kBlock * all;
  std::fill(rows, places + depth.rest_blocks * kBlock, 0.0f);
  for (std::int64_t j = 0; j < count; ++j) {
    std::copy_n(y + j * width, width, rows + j * all);
    split_time(rows + j * all, width);
  }
  // Left operand of the rows' gradients: coordinates are rows, pairs of columns.
  alignas(64) float turned[kWeightBlock];
  for (std::int64_t k = 0; k < padded(width); k += kLine, transposed += kWeightBlock) {
    for (std::int64_t p = 0; p < kLine; ++p)
      store_parts(_mm512_load_ps(rows + 2 * p * all + k), _mm512_load_ps(rows + (2 * p + 1) * all + k),
                  kWeightParts, kBlockFloats, turned + p * kLine);
    for (int part = 0; part < kWeightParts; ++part)
      transpose_block(turned + part * kBlockFloats, transposed + part * kBlockFloats);
  }
  // Left operand of the scores: columns are rows, pairs of coordinates.
  alignas(64) float part[kColumnParts][kBlock];
  for (std::int64_t j = 0; j < kBlock; ++j) {
    float *row = rows + j * all, *out = points + j / kLine * depth.columns() + j % kLine * kLine;
    row[0] = j < count ? y[j * width] : 1;  // the time, whole again
    std::copy_backward(row + kShiftCoordinate, row + width, row + width + 1);
    row[kShiftCoordinate] = 1;
    for (std::int64_t b = 0; b < depth.whole; ++b, out += kColumnParts * kBlockFloats)
      store_row_parts(_mm512_load_ps(row + b * kBlock), _mm512_load_ps(row + b * kBlock + kLine),
                      kColumnParts, kBlockFloats, out);
    for (std::int64_t k = 0; k < kBlock; k += kLine)
      split(_mm512_load_ps(row + depth.whole * kBlock + k), kColumnParts, kBlock, part[0] + k);
    for (int t = 0; t < kTerms; ++t) std::copy_n(part[kTerm[t][0]], depth.rest, places + t * depth.rest);
    places[kTerms * depth.rest] = nearest(row[0]);
    for (std::int64_t r = 0; r < depth.rest_blocks; ++r, out += kBlockFloats)
      store_row_parts(_mm512_load_ps(places + r * kBlock), _mm512_load_ps(places + r * kBlock + kLine), 1, 0,
                      out);
  }
}

// The right operand of the scores: x has `count` rows of `width`, the missing ones are the origin; scale and
// signs are those of scale * -<x, y>_L + shift.
HYPERLLM_AMX void pack_rows(const float* x, std::int64_t count, std::int64_t width, float scale, float shift,
                            float* packed) {
  const ScoreDepth depth(width);
  const std::int64_t all = depth.coordinates() * kRows;
  const Scratch scratch(all + depth.rest_blocks * kBlock * kRows);
  float *turned = scratch.data(), *places = turned + all;
  std::fill(turned, places + depth.rest_blocks * kBlock * kRows, 0.0f);
  for (std::int64_t i = 0; i < kRows; ++i) {
    turned[i] = scale * (i < count ? x[i * width] : 1);
    turned[kShiftCoordinate * kRows + i] = shift;
    for (std::int64_t k = 1; k < width && i < count; ++k)
      turned[(k < kShiftCoordinate ? k : k + 1) * kRows + i] = -scale * x[i * width + k];
  }
  alignas(64) float part[kColumnParts][kLine];
  for (std::int64_t i = 0; i < kRows; i += kLine) {
    for (std::int64_t c = 0; c < depth.rest; ++c) {
      split(_mm512_load_ps(turned + (depth.whole * kBlock + c) * kRows + i), kRowParts, kLine, part[0]);
      for (int t = 0; t < kTerms; ++t)
        std::copy_n(part[kTerm[t][1]], kLine, places + (t * depth.rest + c) * kRows + i);
    }
    split(_mm512_load_ps(turned + i), kColumnParts, kLine, part[0]);
    std::copy_n(part[kLow], kLine, places + kTerms * depth.rest * kRows + i);
  }
  const auto pack = [&](const float* from, std::int64_t count_of_blocks, int parts, float* to) HYPERLLM_AMX {
    for (std::int64_t b = 0; b < count_of_blocks; ++b)
      for (std::int64_t p = 0; p < kLine; ++p)
        for (std::int64_t i = 0; i < kRows; i += kLine) {
          const float* at = from + (b * kBlock + 2 * p) * kRows + i;
          store_parts(_mm512_load_ps(at), _mm512_load_ps(at + kRows), parts, 4 * kBlockFloats,
                      to + (b * parts * 4 + i / kLine) * kBlockFloats + p * kLine);
        }
  };
  pack(turned, depth.whole, kRowParts, packed);
  pack(places, depth.rest_blocks, 1, packed + depth.whole * kRowParts * 4 * kBlockFloats);
}

// The right operand of the columns' gradients: `count` rows of x, each times its share.
HYPERLLM_AMX void pack_scaled(const float* x, const double* share, std::int64_t count, std::int64_t width,
                              float* packed) {
  const std::int64_t size = padded(width), groups = size / kLine;
  const Scratch scratch(2 * size);
  float* rows = scratch.data();
  for (std::int64_t i = 0; i < kRows; i += 2) {
    std::fill(rows, rows + 2 * size, 0.0f);
    for (std::int64_t r = 0; r < 2 && i + r < count; ++r) {
      const auto times = static_cast<float>(share[i + r]);
      for (std::int64_t k = 0; k < width; ++k) rows[r * size + k] = times * x[(i + r) * width + k];
      split_time(rows + r * size, width);
    }
    for (std::int64_t g = 0; g < groups; ++g)
      store_parts(_mm512_load_ps(rows + g * kLine), _mm512_load_ps(rows + size + g * kLine), kWeightParts,
                  kBlockFloats, packed + (i / kBlock * groups + g) * kWeightBlock + i % kBlock / 2 * kLine);
  }
}

struct NoWork {
  void step() {}
};

// The tile unit works while the vector units do something else, if the instructions of both are close enough
// to one another. So what multiplies takes a piece of other work, and does a step of it beside every four
// products.
//
// u[j * kRows + i] = scale * -<x_i, y_j>_L + shift for one block of columns.
template <class Work>
HYPERLLM_AMX void scores(const float* points, const float* rows, std::int64_t width, float* u, Work& work) {
  const ScoreDepth depth(width);
  const std::int64_t group = depth.columns();
  for (std::int64_t i = 0; i < kRows; i += kBlock) {
    const float *left = points, *right = rows + i / kLine * kBlockFloats;
    const auto take_left = [&](int part) HYPERLLM_AMX {
      load_left(left + part * kBlockFloats, left + group + part * kBlockFloats);
    };
    const auto take_right = [&](int part) HYPERLLM_AMX {
      load_right(right + part * 4 * kBlockFloats, right + (part * 4 + 1) * kBlockFloats);
    };
    zero_results();
    for (std::int64_t b = 0; b < depth.whole; ++b) {
#pragma GCC unroll 5
      for (int t = 0; t < kTerms; ++t) {
        if (t == 0 || kTerm[t][0] != kTerm[t - 1][0]) take_left(kTerm[t][0]);
        if (t == 0 || kTerm[t][1] != kTerm[t - 1][1]) take_right(kTerm[t][1]);
        multiply(work);
      }
      left += kColumnParts * kBlockFloats;
      right += kRowParts * 4 * kBlockFloats;
    }
    for (std::int64_t r = 0; r < depth.rest_blocks; ++r) {
      take_left(0);
      take_right(0);
      multiply(work);
      left += kBlockFloats;
      right += 4 * kBlockFloats;
    }
    store_results(u + i, kRows);
  }
}

// Adds the three products of the parts of two left and two right operands: their blocks lie `left_stride` and
// `right_stride` apart, those of the parts follow one another.
template <class Work>
HYPERLLM_AMX inline void multiply_weights(const float* left, std::int64_t left_stride, const float* right,
                                          std::int64_t right_stride, Work& work) {
  load_left(left, left + left_stride);
  load_right(right + kBlockFloats, right + right_stride + kBlockFloats);
  multiply(work);
  load_right(right, right + right_stride);
  multiply(work);
  load_left(left + kBlockFloats, left + left_stride + kBlockFloats);
  multiply(work);
}

HYPERLLM_AMX inline void start_results(bool first, const float* c, std::int64_t stride) {
  if (first)
    zero_results();
  else
    load_results(c, stride);
}

// sums[k * kRows + AmxContrast::position(i)] (+)= sum_j q_ij y_jk of `count` blocks of columns, k <
// padded(width).
HYPERLLM_AMX void row_gradients(const float* transposed, const float* weights, std::int64_t count,
                                std::int64_t width, bool first, float* sums) {
  const std::int64_t groups = padded(width) / kLine;
  NoWork nothing;
  for (std::int64_t k = 0; k < groups; k += 2)
    for (std::int64_t i = 0; i < kRows / kLine; i += 2) {
      float* at = sums + k * kLine * kRows + i * kLine;
      start_results(first, at, kRows);
      for (std::int64_t j = 0; j < count; ++j)
        multiply_weights(transposed + (j * groups + k) * kWeightBlock, kWeightBlock,
                         weights + j * kWeightsSize + i * kWeightBlock, kWeightBlock, nothing);
      store_results(at, kRows);
    }
}

// sums[j * padded(width) + k] (+)= sum_i q_ij scaled_ik
template <class Work>
HYPERLLM_AMX void column_gradients(const float* weights, const float* scaled, std::int64_t width, bool first,
                                   float* sums, Work& work) {
  const std::int64_t groups = padded(width) / kLine, stride = padded(width);
  for (std::int64_t k = 0; k < groups; k += 2) {
    float* at = sums + k * kLine;
    start_results(first, at, stride);
    for (std::int64_t i = 0; i < kRows / kBlock; ++i)
      multiply_weights(weights + i * kWeightBlock, kLine * kRows, scaled + (i * groups + k) * kWeightBlock,
                       kWeightBlock, work);
    store_results(at, stride);
  }
}

}  // namespace
}  // namespace hyperllm::kernels
