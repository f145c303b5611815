#include "hyperllm/kernels/contrast.h"

#include <gtest/gtest.h>

#include <array>
#include <bit>
#include <cmath>
#include <numbers>

#include "hyperllm/kernels/contrast_tables.h"
#include "tests/support/points.h"

namespace hyperllm::kernels {
namespace {

using Floats = std::vector<float>;

struct Evaluated {
  double value, slope;
};

// The polynomials of the piece that holds u.
template <class Table>
Evaluated evaluated(const Table& table, float u) {
  const auto bits = std::bit_cast<std::uint32_t>(u);
  const std::uint32_t piece = (bits >> Table::kShift) % Table::kPieces, half = 1u << (Table::kShift - 1);
  const double t = u - std::bit_cast<float>((bits & ~(2 * half - 1)) | half);
  Evaluated at{0, 0};
  for (int p = Table::kDegree; p >= 0; --p) {
    at.slope = at.slope * t + at.value;
    at.value = at.value * t + table.coefficient[p][piece];
  }
  return at;
}

// The errors that the header promises, on a fine grid of the whole range.
TEST(DistanceTable, FollowsTheSquaredDistanceAndItsSlope) {
  const double tau = 0.5, unit = -1 / (tau * std::numbers::ln2);
  const DistanceTable table(tau);
  for (double v = 1; v < DistanceTable::kLargest; v *= 1.0003) {
    const auto u = static_cast<float>(v + DistanceTable::shift);
    const double near = u - DistanceTable::shift;
    const auto [value, slope] = evaluated(table, u);
    const double a = std::acosh(std::max(1.0, near)), s = std::sinh(a);
    EXPECT_NEAR(value / unit, a * a, 1.2e-6) << v;  // 7e-7 of the pieces, and float32 coefficients
    EXPECT_NEAR(slope / unit, s < 1e-6 ? 2 : 2 * a / s, 2e-5 * 2) << v;
  }
}

TEST(WeightTable, FollowsTheWeightAndItsSlopeAsFarAsItSays) {
  for (const auto& [tau, largest, weight_error, slope_error] :
       std::vector<std::array<double, 4>>{{0.5, 10.2, 1.6e-6, 2.2e-5},
                                          {1, 14.9, 1e-6, 1e-5},
                                          {0.1, 1.5, 1e-7, 2e-6},
                                          {0.5, 1, 1e-7, 1e-7}}) {
    const WeightTable table(tau, largest);
    EXPECT_LT(table.error, weight_error) << tau;
    EXPECT_LT(table.slope_error, slope_error) << tau;
    for (double v = 1; v <= largest; v *= 1.0003) {
      const auto u = static_cast<float>(table.scale * v + table.shift);
      const double near = (u - table.shift) / table.scale;
      const auto [of_weight, of_slope] = evaluated(table, u);
      const double a = std::acosh(std::max(1.0, near)), s = std::sinh(a);
      const double weight = std::exp(-a * a / tau), slope = -weight / tau * (s < 1e-6 ? 2 : 2 * a / s);
      EXPECT_NEAR(of_weight / weight, 1, 1.1 * table.error + 2e-7) << v;
      EXPECT_NEAR(of_slope * table.scale / slope, 1, 1.1 * table.slope_error + 1e-6) << v;
    }
  }
  EXPECT_GT(WeightTable(0.1, 10).error, 1e-3) << "a small tau must say that it cannot be had";
}

// Columns that must not count: the buffers' padding, whatever the number of columns is.
TEST(Contrast, PaddingCountsForNothing) {
  const std::int64_t dim = 5;
  for (std::int64_t columns : {1, 5, 6, 7, 23, 24, 25, 95, 96, 97, 193}) {
    const Floats x(dim, 0.0f), y(static_cast<std::size_t>(columns * dim), 0.0f);
    const std::vector<std::int64_t> target = {columns - 1};
    Floats gx(x.size()), gy(y.size());
    EXPECT_NEAR(softmax_contrast(x, y, target, dim, 1, 0.5, gx, gy), std::log(static_cast<double>(columns)),
                1e-6);
  }
}

// A batch may hold no pair of a kind.
TEST(Contrast, WithoutRowsLossAndGradientsAreZero) {
  const std::int64_t columns = 30, dim = 5;
  const Floats y = test::random_points(columns, dim, 1, 1, 2);
  const std::vector<std::int64_t> none, first = {0};
  for (const auto& of_rows : {none, first}) {
    Floats gy(y.size(), 1.0f);
    EXPECT_EQ(softmax_contrast({}, y, none, dim, 1, 0.5, {}, gy, of_rows), 0);
    EXPECT_EQ(gy, Floats(y.size(), 0.0f));
  }
}

// The missing rows of the last tile must stay harmless where tau is so small that 2^(v / tau) overflows off
// the manifold, to infinity or NaN for some tau.
TEST(Contrast, ShortTilesStayFiniteForSmallTau) {
  const std::int64_t rows = 3, columns = 8, dim = 4;
  const Floats x = test::random_points(rows, dim, 1, 0.1, 1),
               y = test::random_points(columns, dim, 1, 0.1, 2);
  const auto target = test::random_targets(rows, columns, 3);
  for (double tau = 0.0006; tau < 0.05; tau *= 1.003) {
    Floats gx(x.size()), gy(y.size());
    ASSERT_TRUE(std::isfinite(softmax_contrast(x, y, target, dim, 1, tau, gx, gy))) << tau;
    for (float value : gx) ASSERT_TRUE(std::isfinite(value)) << tau;
    for (float value : gy) ASSERT_TRUE(std::isfinite(value)) << tau;
  }
}

}  // namespace
}  // namespace hyperllm::kernels
