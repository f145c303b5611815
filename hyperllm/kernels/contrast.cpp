#include "hyperllm/kernels/contrast.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <optional>
#include <vector>

#include "hyperllm/base/parallel.h"
#include "hyperllm/base/scratch.h"
#include "hyperllm/kernels/contrast_tiles.h"
#include "hyperllm/kernels/lorentz_pair.h"

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
      for (std::int64_t i = begin; i < end; ++i) {
        const float* point = points.data() + i * dim;
        time[i] = time_coordinate(point, dim, scale);
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
};

// From the weights' sums (time component, space component) to the gradient with respect to the space
// coordinates: the time depends on them as dx0/dx = x / x0.
void finish_gradient(const double* sums, const float* point, double time, std::int64_t dim, double scale,
                     float* grad) {
  for (std::int64_t k = 0; k < dim; ++k)
    grad[k] = static_cast<float>(scale * (sums[0] / time * (point[k] * scale) - sums[k + 1]));
}

// The polynomials serve if every v = -<x,y>_L lies in their range (v is largest for points on opposite sides
// of the origin) and no exponent leaves the range of float.
std::optional<DistanceTable> table_for(const Packed& a, const Packed& b, double unit_tau) {
  const double distance = std::acosh(a.farthest) + std::acosh(b.farthest);
  if (std::cosh(distance) > 0.999 * DistanceTable::kLargest || distance * distance / unit_tau > 80)
    return std::nullopt;
  return DistanceTable(unit_tau);
}

// What a tile of rows needs.
struct Tile {
  Scratch buffer;
  std::vector<double> row_sums;
  float *q, *rows, *scaled;

  explicit Tile(const ContrastShape& shape)
      : buffer((shape.padded() + 2 * shape.width) * kTileRows),
        row_sums(shape.width * kTileRows),
        q(buffer.data()),
        rows(q + shape.padded() * kTileRows),
        scaled(rows + shape.width * kTileRows) {}
};

// The rows of each column's positive pairs, in order.
struct Positives {
  std::vector<std::int64_t> begin, rows;

  Positives(std::span<const std::int64_t> target, std::int64_t columns)
      : begin(columns + 1), rows(target.size()) {
    for (std::int64_t t : target) ++begin[t + 1];
    std::partial_sum(begin.begin(), begin.end(), begin.begin());
    std::vector<std::int64_t> next(begin.begin(), begin.end() - 1);
    for (std::size_t i = 0; i < target.size(); ++i) rows[next[target[i]]++] = static_cast<std::int64_t>(i);
  }
};

}  // namespace

double softmax_contrast(std::span<const float> x, std::span<const float> y,
                        std::span<const std::int64_t> target, std::int64_t dim, double curvature, double tau,
                        std::span<float> grad_x, std::span<float> grad_y) {
  const std::int64_t rows = static_cast<std::int64_t>(x.size()) / dim;
  const ContrastShape shape{static_cast<std::int64_t>(y.size()) / dim, dim + 1};
  const bool with_grad = !grad_x.empty();
  const double scale = std::sqrt(curvature);
  const double unit_tau = tau * curvature;  // d^2 = acosh^2 / c
  const Packed a(x, dim, scale, rows), b(y, dim, scale, shape.padded());
  if (!a.finite || !b.finite) return std::numeric_limits<double>::quiet_NaN();
  const std::optional<DistanceTable> table = table_for(a, b, unit_tau);

  // Tiles and lanes depend on the sizes only: partial sums are the same for any number of threads.
  const std::int64_t lanes = shape.columns <= 65536 ? 8 : 2;
  const std::int64_t tiles = (rows + kTileRows - 1) / kTileRows;
  std::vector<double> tile_loss(tiles), weight(rows);
  // Stands in for the missing rows of the last tile: a point, so that nothing overflows, whose share is 0.
  std::vector<float> origin(shape.width, 0.0f);
  origin[0] = 1;
  std::vector<std::optional<ContrastSums>> column_sums(lanes);

  parallel_blocks(std::min(lanes, tiles), [&](std::int64_t lane) {
    Tile own(shape);
    ContrastSums* columns = with_grad ? &column_sums[lane].emplace(shape) : nullptr;
    double z[kTileRows], shift[kTileRows], share[kTileRows];
    std::vector<double> sums(shape.width);
    for (std::int64_t block = lane; block < tiles; block += lanes) {
      const std::int64_t begin = block * kTileRows, count = std::min(kTileRows, rows - begin);
      for (std::int64_t k = 0; k < shape.width; ++k)
        for (std::int64_t i = 0; i < kTileRows; ++i)
          own.rows[k * kTileRows + i] = (k == 0 ? 1 : -1) * (i < count ? a.row(begin + i) : origin.data())[k];
      const ContrastRows tile{own.rows, b.rows.data(), unit_tau, table ? &*table : nullptr};
      const double unit =
          contrast_rows(shape, tile, columns, own.q, z, shift, with_grad ? own.row_sums.data() : nullptr);
      for (std::int64_t i = 0; i < count; ++i) {
        const std::int64_t row = begin + i, t = target[row];
        const PairDistance positive = pair_distance(
            half_squared_chord(x.data() + row * dim, y.data() + t * dim, dim, a.time[row], b.time[t], scale));
        tile_loss[block] += (positive.squared - shift[i]) / unit_tau + std::log(z[i]);
        weight[row] = positive.slope / unit_tau;
        share[i] = unit / z[i];
      }
      if (!with_grad) continue;
      for (std::int64_t i = 0; i < kTileRows; ++i)
        for (std::int64_t k = 0; k < shape.width; ++k)
          own.scaled[i * shape.width + k] =
              i < count ? static_cast<float>(share[i] * a.row(begin + i)[k]) : 0;
      columns->add(own.scaled);
      for (std::int64_t i = 0; i < count; ++i) {
        const std::int64_t row = begin + i;
        for (std::int64_t k = 0; k < shape.width; ++k)
          sums[k] = share[i] * own.row_sums[k * kTileRows + i] + weight[row] * b.row(target[row])[k];
        finish_gradient(sums.data(), x.data() + row * dim, a.time[row], dim, scale,
                        grad_x.data() + row * dim);
      }
    }
    if (with_grad) columns->finish(own.q);
  });

  if (with_grad) {
    const Positives positives(target, shape.columns);
    parallel_ranges(shape.columns, 256, [&](std::int64_t begin, std::int64_t end) {
      std::vector<double> sums(shape.width);
      for (std::int64_t j = begin; j < end; ++j) {
        std::fill(sums.begin(), sums.end(), 0.0);
        for (const std::optional<ContrastSums>& lane : column_sums)
          if (lane) lane->add_row(j, sums);
        for (std::int64_t at = positives.begin[j]; at < positives.begin[j + 1]; ++at) {
          const std::int64_t row = positives.rows[at];
          for (std::int64_t k = 0; k < shape.width; ++k) sums[k] += weight[row] * a.row(row)[k];
        }
        finish_gradient(sums.data(), y.data() + j * dim, b.time[j], dim, scale, grad_y.data() + j * dim);
      }
    });
  }
  return std::accumulate(tile_loss.begin(), tile_loss.end(), 0.0);
}

}  // namespace hyperllm::kernels
