#include "hyperllm/kernels/contrast.h"

#include <hwy/cache_control.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <optional>
#include <vector>

#include "hyperllm/base/parallel.h"
#include "hyperllm/base/scratch.h"
#include "hyperllm/kernels/contrast_amx.h"
#include "hyperllm/kernels/contrast_tiles.h"
#include "hyperllm/kernels/lorentz_pair.h"
#include "hyperllm/kernels/panels_amx.h"

namespace hyperllm::kernels {
namespace {

// Points scaled to the unit hyperboloid: time, then space.
struct Packed {
  std::int64_t width;
  Scratch rows;
  std::vector<double> time;
  double farthest = 1;  // largest time
  bool finite = true;

  // Rows beyond the points, up to `padded`, are zero.
  Packed(std::span<const float> points, std::int64_t dim, double scale, std::int64_t padded)
      : width(dim + 1), rows(padded * width), time(points.size() / dim) {
    const auto count = static_cast<std::int64_t>(time.size());
    parallel_ranges(count, 512, [&](std::int64_t begin, std::int64_t end) {
      time_coordinates(points.data() + begin * dim, end - begin, dim, scale, &time[begin]);
      for (std::int64_t i = begin; i < end; ++i) {
        const float* point = points.data() + i * dim;
        float* packed = rows.data() + i * width;
        packed[0] = static_cast<float>(time[i]);
        for (std::int64_t k = 0; k < dim; ++k) packed[k + 1] = static_cast<float>(point[k] * scale);
      }
    });
    for (double value : time) {
      finite = finite && std::isfinite(value);
      farthest = std::max(farthest, value);
    }
    std::fill(rows.data() + count * width, rows.data() + padded * width, 0.0f);
  }
  const float* row(std::int64_t i) const { return rows.data() + i * width; }
  // Rows that come in any order wait for memory unless they are requested ahead.
  void request(std::int64_t i) const {
    constexpr std::int64_t kLine = 16;  // floats
    for (std::int64_t k = 0; k < width; k += kLine) hwy::Prefetch(row(i) + k);
  }
};

constexpr std::int64_t kAhead = 4;  // rows

// Which polynomials serve, of those that the processor has a use for; at most one of them does.
struct Tables {
  std::optional<WeightTable> weights;
  std::optional<DistanceTable> distances;

  Tables(const Packed& a, const Packed& b, double unit_tau) {
    // As good as DistanceTable; of alternating sign.
    constexpr double kWeightError = 1.6e-6, kSlopeError = 3e-5;
    // Below, the rounding of scaled points would be felt: it costs one more last digit of v than the others.
    constexpr double kSmallestTau = 0.3;
    // v = -<x,y>_L is largest for points on opposite sides of the origin. No exponent may leave the range of
    // float.
    const double distance = std::acosh(a.farthest) + std::acosh(b.farthest);
    if (distance * distance / unit_tau > 80) return;
    const double largest = std::cosh(distance) * 1.001;
    if (unit_tau >= kSmallestTau && (has_amx_parts() || contrast_has_weight_table())) {
      weights.emplace(unit_tau, largest);
      if (weights->error < kWeightError && weights->slope_error < kSlopeError) return;
      weights.reset();
    }
    if (largest < DistanceTable::kLargest && contrast_has_distance_table()) distances.emplace(unit_tau);
  }
};

// What a tile of rows needs.
struct Tile {
  Scratch buffer;
  std::vector<double> row_sums;
  float *q, *rows;

  explicit Tile(const ContrastShape& shape)
      : buffer((shape.padded() + shape.width) * kTileRows),
        row_sums(shape.width * kTileRows),
        q(buffer.data()),
        rows(q + shape.padded() * kTileRows) {}
};

// The positive pairs, ordered by row.
struct Pairs {
  std::span<const std::int64_t> given;
  std::vector<std::int64_t> target;      // 0 for a pair with nothing, whose weight stays 0
  std::vector<std::int64_t> first, row;  // of each row; of each pair
  std::vector<double> weight;            // dloss/dv of each pair

  Pairs(std::span<const std::int64_t> targets, std::span<const std::int64_t> first_of_row, std::int64_t rows)
      : given(targets),
        target(targets.begin(), targets.end()),
        first(rows + 1),
        row(target.size()),
        weight(target.size()) {
    std::replace(target.begin(), target.end(), std::int64_t{-1}, std::int64_t{0});
    if (first_of_row.empty())
      std::iota(first.begin(), first.end(), std::int64_t{0});
    else
      std::copy(first_of_row.begin(), first_of_row.end(), first.begin());
    for (std::int64_t i = 0; i < rows; ++i) std::fill(row.begin() + first[i], row.begin() + first[i + 1], i);
  }
  std::int64_t size() const { return std::ssize(target); }
  double of_row(std::int64_t i) const { return static_cast<double>(first[i + 1] - first[i]); }
};

// The pairs of each column, in order.
struct PairsOfColumns {
  std::vector<std::int64_t> begin, pairs;

  PairsOfColumns(std::span<const std::int64_t> target, std::int64_t columns)
      : begin(columns + 1), pairs(target.size()) {
    for (std::int64_t t : target) ++begin[t + 1];
    std::partial_sum(begin.begin(), begin.end(), begin.begin());
    std::vector<std::int64_t> next(begin.begin(), begin.end() - 1);
    for (std::size_t p = 0; p < target.size(); ++p) pairs[next[target[p]]++] = static_cast<std::int64_t>(p);
  }
};

// What every row needs beside the sums of its weights, and what the gradients need of it.
struct Rows {
  const Packed &a, &b;
  std::span<const float> x, y;
  std::int64_t dim;
  double scale, unit_tau;
  Pairs pairs;
  std::int64_t nothing;

  // The losses of rows [begin, end), whose sums are z exp(-shift / tau). Adds to z what is nothing.
  double loss(std::int64_t begin, std::int64_t end, double* z, const double* shift) {
    const std::int64_t from = pairs.first[begin], count = pairs.first[end] - from;
    std::vector<double> chords(count);
    half_squared_chords(x.data(), a.time.data(), &pairs.row[from], y.data(), b.time.data(),
                        &pairs.target[from], count, dim, scale, chords.data());
    double sum = 0;
    for (std::int64_t i = begin; i < end; ++i) {
      double log_z = std::log(z[i - begin]);
      if (nothing > 0) {
        const double start = shift ? shift[i - begin] / unit_tau : 0, times = static_cast<double>(nothing);
        log_z = std::log(z[i - begin] * std::exp(-start) + times) + start;
        z[i - begin] += times * std::exp(start);  // infinite where the points count for nothing
      }
      for (std::int64_t p = pairs.first[i]; p < pairs.first[i + 1]; ++p) {
        if (pairs.given[p] < 0) {
          sum += log_z - (shift ? shift[i - begin] / unit_tau : 0);
          continue;
        }
        const PairDistance positive = pair_distance(chords[p - from]);
        pairs.weight[p] = positive.slope / unit_tau;
        sum += (positive.squared - (shift ? shift[i - begin] : 0)) / unit_tau + log_z;
      }
    }
    return sum;
  }

  // From share * row_sums, the weighted sum of the columns; `sums` is scratch.
  void finish(std::int64_t row, double share, const double* row_sums, std::span<double> sums,
              std::span<float> grad_x) const {
    for (std::int64_t p = pairs.first[row]; p < pairs.first[row + 1]; ++p) {
      if (p + kAhead < pairs.size()) b.request(pairs.target[p + kAhead]);
      add_point(share, row_sums, pairs.weight[p], b.row(pairs.target[p]), dim + 1, sums.data());
      share = 1;
      row_sums = sums.data();
    }
    gradient_from_sums(sums.data(), x.data() + row * dim, a.time[row], dim, scale, grad_x.data() + row * dim);
  }
};

// sum_columns(begin, end, sums) puts the weighted sums of the rows in the place of zeros.
template <class SumColumns>
void finish_columns(const Rows& rows, std::span<float> grad_y, const SumColumns& sum_columns) {
  const auto columns = static_cast<std::int64_t>(rows.b.time.size()), width = rows.dim + 1;
  const Pairs& pairs = rows.pairs;
  const PairsOfColumns of_columns(pairs.target, columns);
  parallel_ranges(columns, 64, [&](std::int64_t begin, std::int64_t end) {
    std::vector<double> sums((end - begin) * width);
    sum_columns(begin, end, sums.data());
    for (std::int64_t j = begin; j < end; ++j) {
      double* of_column = &sums[(j - begin) * width];
      for (std::int64_t at = of_columns.begin[j]; at < of_columns.begin[j + 1]; ++at) {
        const std::int64_t p = of_columns.pairs[at];
        if (at + kAhead < pairs.size()) rows.a.request(pairs.row[of_columns.pairs[at + kAhead]]);
        add_point(1, of_column, pairs.weight[p], rows.a.row(pairs.row[p]), width, of_column);
      }
      gradient_from_sums(of_column, rows.y.data() + j * rows.dim, rows.b.time[j], rows.dim, rows.scale,
                         grad_y.data() + j * rows.dim);
    }
  });
}

double sum_of(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0);
}

double contrast_with_amx(Rows& rows, const WeightTable& table, std::span<float> grad_x,
                         std::span<float> grad_y) {
  constexpr std::int64_t kTile = AmxContrast::kTile;
  const auto count = static_cast<std::int64_t>(rows.a.time.size()),
             columns = static_cast<std::int64_t>(rows.b.time.size()), width = rows.dim + 1;
  AmxContrast contrast(rows.a.rows.data(), count, rows.b.rows.data(), columns, width, table);
  std::vector<double> z(count), share(count), tile_loss((count + kTile - 1) / kTile);
  contrast.weight_sums(z);
  parallel_ranges(count, kTile, [&](std::int64_t begin, std::int64_t end) {
    tile_loss[begin / kTile] = rows.loss(begin, end, &z[begin], nullptr);
    for (std::int64_t row = begin; row < end; ++row) share[row] = rows.pairs.of_row(row) / z[row];
  });
  if (grad_x.empty()) return sum_of(tile_loss);
  contrast.gradients(share);
  parallel_ranges(count, kTile, [&](std::int64_t begin, std::int64_t end) {
    std::vector<double> row_sums(width * kTile), sums(width);
    contrast.row_sums(begin / kTile, row_sums.data());
    for (std::int64_t row = begin; row < end; ++row)
      rows.finish(row, share[row], row_sums.data() + (row - begin) * width, sums, grad_x);
  });
  finish_columns(rows, grad_y, [&](std::int64_t begin, std::int64_t end, double* sums) {
    contrast.add_columns(begin, end, sums);
  });
  return sum_of(tile_loss);
}

double contrast_by_tiles(Rows& rows, const Tables& tables, std::span<float> grad_x, std::span<float> grad_y) {
  const auto count = static_cast<std::int64_t>(rows.a.time.size());
  const ContrastShape shape{static_cast<std::int64_t>(rows.b.time.size()), rows.dim + 1};
  const bool with_grad = !grad_x.empty();
  const std::int64_t lanes = contrast_lanes(shape.columns);
  const std::int64_t tiles = (count + kTileRows - 1) / kTileRows;
  std::vector<double> tile_loss(tiles);
  // Stands in for the missing rows of the last tile: a point, so that nothing overflows, whose share is 0.
  std::vector<float> origin(shape.width, 0.0f);
  origin[0] = 1;
  std::vector<std::optional<ContrastSums>> column_sums(lanes);
  const float scale = tables.weights ? static_cast<float>(tables.weights->scale) : 1.0f;

  parallel_blocks(std::min(lanes, tiles), [&](std::int64_t lane) {
    Tile own(shape);
    ContrastSums* columns = with_grad ? &column_sums[lane].emplace(shape) : nullptr;
    double z[kTileRows], shift[kTileRows], share[kTileRows];
    std::vector<double> sums(shape.width);
    for (std::int64_t block = lane; block < tiles; block += lanes) {
      const std::int64_t begin = block * kTileRows, in_tile = std::min(kTileRows, count - begin);
      for (std::int64_t i = 0; i < kTileRows; ++i) {
        const float* row = i < in_tile ? rows.a.row(begin + i) : origin.data();
        own.rows[i] = scale * row[0];
        for (std::int64_t k = 1; k < shape.width; ++k) own.rows[k * kTileRows + i] = -scale * row[k];
      }
      const ContrastRows tile{own.rows, rows.b.rows.data(), rows.unit_tau,
                              tables.weights ? &*tables.weights : nullptr,
                              tables.distances ? &*tables.distances : nullptr};
      const double unit =
          contrast_rows(shape, tile, columns, own.q, z, shift, with_grad ? own.row_sums.data() : nullptr);
      tile_loss[block] = rows.loss(begin, begin + in_tile, z, shift);
      for (std::int64_t i = 0; i < in_tile; ++i) share[i] = unit * rows.pairs.of_row(begin + i) / z[i];
      if (!with_grad) continue;
      columns->add(rows.a.row(begin), in_tile, share);
      for (std::int64_t i = 0; i < in_tile; ++i)
        rows.finish(begin + i, share[i], own.row_sums.data() + i * shape.width, sums, grad_x);
    }
    if (with_grad) columns->finish(own.q);
  });
  if (with_grad)
    finish_columns(rows, grad_y, [&](std::int64_t begin, std::int64_t end, double* sums) {
      ContrastSums::total(column_sums, begin, end, sums);
    });
  return sum_of(tile_loss);
}

}  // namespace

double softmax_contrast(std::span<const float> x, std::span<const float> y,
                        std::span<const std::int64_t> target, std::int64_t dim, double curvature, double tau,
                        std::span<float> grad_x, std::span<float> grad_y, std::span<const std::int64_t> first,
                        std::int64_t nothing) {
  const std::int64_t count = static_cast<std::int64_t>(x.size()) / dim,
                     columns = static_cast<std::int64_t>(y.size()) / dim;
  const double scale = std::sqrt(curvature);
  const double unit_tau = tau * curvature;  // d^2 = acosh^2 / c
  const Packed a(x, dim, scale, count), b(y, dim, scale, ContrastShape{columns, dim + 1}.padded());
  if (!a.finite || !b.finite) return std::numeric_limits<double>::quiet_NaN();
  if (count == 0 || columns == 0) {
    std::fill(grad_x.begin(), grad_x.end(), 0.0f);
    std::fill(grad_y.begin(), grad_y.end(), 0.0f);
    return count == 0 ? 0 : static_cast<double>(target.size()) * std::log(static_cast<double>(nothing));
  }
  Rows rows{a, b, x, y, dim, scale, unit_tau, Pairs(target, first, count), nothing};
  const Tables tables(a, b, unit_tau);
  return tables.weights && has_amx_parts() ? contrast_with_amx(rows, *tables.weights, grad_x, grad_y)
                                           : contrast_by_tiles(rows, tables, grad_x, grad_y);
}

}  // namespace hyperllm::kernels
