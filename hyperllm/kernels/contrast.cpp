#include "hyperllm/kernels/contrast.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "hyperllm/base/parallel.h"
#include "hyperllm/kernels/blas.h"
#include "hyperllm/kernels/lorentz_pair.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "hyperllm/kernels/contrast.cpp"
// clang-format off: foreach_target.h must come first
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
#include <hwy/contrib/math/math-inl.h>
// clang-format on

HWY_BEFORE_NAMESPACE();
namespace hyperllm::kernels::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

// v (in): -c <x, y_j>_L. Out: f = acosh(v)^2 and slope = acosh(v) / sqrt(v^2 - 1), whose limit at v = 1 is 1.
// Returns the smallest f. Reads and writes up to the next multiple of the lane count.
HWY_ATTR float squared_distances(float* HWY_RESTRICT v, float* HWY_RESTRICT slope, std::size_t count) {
  const hn::ScalableTag<float> d;
  const std::size_t lanes = hn::Lanes(d);
  const auto zero = hn::Zero(d), one = hn::Set(d, 1.0f), two = hn::Set(d, 2.0f), third = hn::Set(d, 1.0f / 3);
  const auto largest = hn::Set(d, std::numeric_limits<float>::max());
  auto smallest = largest;
  for (std::size_t j = 0; j < count; j += lanes) {
    // log1p(t + sqrt(t (t + 2))) keeps the digits that acosh(1 + t) loses near t = 0.
    const auto t = hn::Max(hn::Sub(hn::LoadU(d, v + j), one), zero);
    const auto s = hn::Sqrt(hn::Mul(t, hn::Add(t, two)));
    const auto a = hn::Log1p(d, hn::Add(t, s));
    const auto near = hn::Lt(t, hn::Set(d, 1e-4f));
    const auto ratio =
        hn::IfThenElse(near, hn::NegMulAdd(t, third, one), hn::Div(a, hn::Max(s, hn::Set(d, 1e-6f))));
    const auto f = hn::Mul(a, a);
    hn::StoreU(f, d, v + j);
    hn::StoreU(ratio, d, slope + j);
    smallest = hn::Min(smallest, hn::IfThenElse(hn::FirstN(d, count - j), f, largest));
  }
  return hn::GetLane(hn::MinOfLanes(d, smallest));
}

// slope <- exp((shift - f) / tau) * slope; returns the sum of the exponentials.
HWY_ATTR double exponentials(const float* HWY_RESTRICT f, float* HWY_RESTRICT slope, std::size_t count,
                             float shift, float inverse_tau) {
  const hn::ScalableTag<float> d;
  const std::size_t lanes = hn::Lanes(d);
  const auto vshift = hn::Set(d, shift), scale = hn::Set(d, inverse_tau);
  double total = 0;
  for (std::size_t j = 0; j < count;) {
    auto sum = hn::Zero(d);  // short sums in float, the long one in double
    const std::size_t stop = std::min(count, j + 16 * lanes);
    for (; j < stop; j += lanes) {
      const auto e = hn::Exp(d, hn::Mul(hn::Sub(vshift, hn::LoadU(d, f + j)), scale));
      sum = hn::Add(sum, hn::IfThenElseZero(hn::FirstN(d, count - j), e));
      hn::StoreU(hn::Mul(e, hn::LoadU(d, slope + j)), d, slope + j);
    }
    total += hn::GetLane(hn::SumOfLanes(d, sum));
  }
  return total;
}

}  // namespace hyperllm::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace hyperllm::kernels {

HWY_EXPORT(squared_distances);
HWY_EXPORT(exponentials);

namespace {

constexpr std::int64_t kPadding = 64;  // floats; at least the lanes of any target

// Points scaled to the unit hyperboloid, `width` = dim + 1 columns: time, then sign * space.
struct Packed {
  std::int64_t width;
  std::vector<float> rows;
  std::vector<double> time;
  bool finite = true;

  Packed(std::span<const float> points, std::int64_t dim, double scale, float sign)
      : width(dim + 1), rows(points.size() / dim * width), time(points.size() / dim) {
    for (std::size_t i = 0; i < time.size(); ++i) {
      const float* point = points.data() + i * dim;
      time[i] = time_coordinate(point, dim, scale);
      finite = finite && std::isfinite(time[i]);
      float* row = rows.data() + i * width;
      row[0] = static_cast<float>(time[i]);
      for (std::int64_t k = 0; k < dim; ++k) row[k + 1] = sign * static_cast<float>(point[k] * scale);
    }
  }
  const float* row(std::int64_t i) const { return rows.data() + i * width; }
};

// From the weights' sums (time component, space component) to the gradient with respect to the space
// coordinates: the time depends on them as dx0/dx = x / x0.
void finish_gradient(const double* sums, const float* point, double time, std::int64_t dim, double scale,
                     double sign, float* grad) {
  for (std::int64_t k = 0; k < dim; ++k)
    grad[k] = static_cast<float>(scale * (sums[0] / time * (point[k] * scale) + sign * sums[k + 1]));
}

}  // namespace

double softmax_contrast(std::span<const float> x, std::span<const float> y,
                        std::span<const std::int64_t> target, std::int64_t dim, double curvature, double tau,
                        std::span<float> grad_x, std::span<float> grad_y) {
  const std::int64_t rows = static_cast<std::int64_t>(x.size()) / dim;
  const std::int64_t columns = static_cast<std::int64_t>(y.size()) / dim;
  const bool with_grad = !grad_x.empty();
  const double scale = std::sqrt(curvature);
  const double unit_tau = tau * curvature;  // d^2 = acosh^2 / c
  const Packed a(x, dim, scale, -1), b(y, dim, scale, 1);
  if (!a.finite || !b.finite) return std::numeric_limits<double>::quiet_NaN();

  // Tiles and lanes depend on the sizes only: partial sums are the same for any number of threads.
  const std::int64_t tile = columns <= 65536 ? 64 : 16;
  const std::int64_t lanes = columns <= 65536 ? 8 : 2;
  const std::int64_t tiles = (rows + tile - 1) / tile;
  const std::int64_t stride = (columns + kPadding - 1) / kPadding * kPadding;
  const std::int64_t width = dim + 1;
  std::vector<double> tile_loss(tiles);
  std::vector<std::vector<float>> column_sums(with_grad ? lanes : 0);

  parallel_blocks(lanes, [&](std::int64_t lane) {
    std::vector<float> f(tile * stride), slope(tile * stride), row_sums(tile * width), scaled(tile * width);
    if (with_grad) column_sums[lane].assign(columns * width, 0);
    for (std::int64_t block = lane; block < tiles; block += lanes) {
      const std::int64_t begin = block * tile, count = std::min(tile, rows - begin);
      gemm(Transpose::kNo, Transpose::kYes, count, columns, width, 1, a.row(begin), width, b.row(0), width, 0,
           f.data(), stride);
      std::vector<double> weight(count);
      for (std::int64_t i = 0; i < count; ++i) {
        float* fi = f.data() + i * stride;
        float* si = slope.data() + i * stride;
        const float shift = HWY_DYNAMIC_DISPATCH(squared_distances)(fi, si, columns);
        const double sum =
            HWY_DYNAMIC_DISPATCH(exponentials)(fi, si, columns, shift, static_cast<float>(1 / unit_tau));
        const std::int64_t t = target[begin + i];
        const double chord = half_squared_chord(x.data() + (begin + i) * dim, y.data() + t * dim, dim,
                                                a.time[begin + i], b.time[t], scale);
        const PairDistance positive = pair_distance(chord);
        tile_loss[block] += (positive.squared - shift) / unit_tau + std::log(sum);
        if (!with_grad) continue;
        weight[i] = positive.slope / unit_tau;
        const double share = -2 / (unit_tau * sum);
        for (std::int64_t k = 0; k < width; ++k)
          scaled[i * width + k] = static_cast<float>(share * a.row(begin + i)[k]);
      }
      if (!with_grad) continue;
      gemm(Transpose::kNo, Transpose::kNo, count, width, columns, 1, slope.data(), stride, b.row(0), width, 0,
           row_sums.data(), width);
      gemm(Transpose::kYes, Transpose::kNo, columns, width, count, 1, slope.data(), stride, scaled.data(),
           width, 1, column_sums[lane].data(), width);
      std::vector<double> sums(width);
      for (std::int64_t i = 0; i < count; ++i) {
        const std::int64_t row = begin + i, t = target[row];
        // scaled[0] = share * x0, so the share comes back without being kept.
        const double share = scaled[i * width] / static_cast<double>(a.row(row)[0]);
        for (std::int64_t k = 0; k < width; ++k) {
          sums[k] = share * row_sums[i * width + k] + weight[i] * b.row(t)[k];
          column_sums[lane][t * width + k] += static_cast<float>(weight[i] * a.row(row)[k]);
        }
        finish_gradient(sums.data(), x.data() + row * dim, a.time[row], dim, scale, -1,
                        grad_x.data() + row * dim);
      }
    }
  });

  if (with_grad) {
    parallel_ranges(columns, 256, [&](std::int64_t begin, std::int64_t end) {
      std::vector<double> sums(width);
      for (std::int64_t j = begin; j < end; ++j) {
        std::fill(sums.begin(), sums.end(), 0.0);
        for (const std::vector<float>& partial : column_sums)
          for (std::int64_t k = 0; k < width; ++k) sums[k] += partial[j * width + k];
        finish_gradient(sums.data(), y.data() + j * dim, b.time[j], dim, scale, 1, grad_y.data() + j * dim);
      }
    });
  }
  double loss = 0;
  for (double part : tile_loss) loss += part;
  return loss;
}

}  // namespace hyperllm::kernels
#endif  // HWY_ONCE
