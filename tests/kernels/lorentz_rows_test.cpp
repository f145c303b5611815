// The row-wise maps and the fused step against the formulas in long double: sizes around the vector widths,
// rows near the origin, on the cap and far out.
#include "hyperllm/kernels/lorentz_rows.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "tests/support/points.h"

namespace hyperllm::kernels {
namespace {

using Floats = std::vector<float>;
using Real = long double;

// Rows of the given length each, the first at the origin.
Floats rows_of_length(std::int64_t rows, std::int64_t dim, double length, std::uint64_t seed) {
  Floats values = test::normal_floats(rows * dim, seed);
  for (std::int64_t row = 0; row < rows; ++row) {
    double square = 0;
    for (std::int64_t k = 0; k < dim; ++k) square += values[row * dim + k] * values[row * dim + k];
    for (std::int64_t k = 0; k < dim; ++k)
      values[row * dim + k] =
          row == 0 ? 0 : static_cast<float>(values[row * dim + k] * length / std::sqrt(square));
  }
  return values;
}

// f(r) v and its gradient f g + f'(r) / r (v . g) v, the derivative by a central difference.
template <typename Radial>
void expect_radial(const Radial& f, const Floats& v, const Floats& grad, std::int64_t dim,
                   const Floats& value, const Floats& slope, double tolerance) {
  for (std::int64_t row = 0; row < static_cast<std::int64_t>(v.size()) / dim; ++row) {
    Real square = 0, along = 0, gradient = 0;
    for (std::int64_t k = row * dim; k < (row + 1) * dim; ++k) {
      square += static_cast<Real>(v[k]) * v[k];
      along += static_cast<Real>(v[k]) * grad[k];
      gradient += static_cast<Real>(grad[k]) * grad[k];
    }
    const Real r = std::sqrt(square), h = std::max<Real>(r, 1e-3L) * 1e-4L;
    const Real derivative =
        r > 1e-6L ? (8 * (f(r + h) - f(r - h)) - (f(r + 2 * h) - f(r - 2 * h))) / (12 * h) / r : 0;
    const Real size = std::abs(f(r)) * r,
               slope_size = (std::abs(f(r)) + std::abs(derivative) * square) * std::sqrt(gradient);
    for (std::int64_t k = row * dim; k < (row + 1) * dim; ++k) {
      ASSERT_NEAR(value[k], static_cast<double>(f(r) * v[k]), static_cast<double>(1e-6L * size))
          << "row " << row;
      ASSERT_NEAR(slope[k], static_cast<double>(f(r) * grad[k] + derivative * along * v[k]),
                  static_cast<double>(tolerance * slope_size))
          << "row " << row;
    }
  }
}

TEST(LorentzRows, MapsAndGradientsAreTheFormulas) {
  for (std::int64_t dim : {1, 2, 7, 8, 9, 16, 17, 33, 49})
    for (double length : {1e-20, 1e-5, 9e-3, 1.1e-2, 0.3, 1.4999, 1.5001, 20.0, 100.0}) {
      SCOPED_TRACE("dim " + std::to_string(dim) + " length " + std::to_string(length));
      const std::int64_t rows = 19;
      const Floats v = rows_of_length(rows, dim, length, 1), grad = test::normal_floats(rows * dim, 2);
      Floats value(v.size()), slope(v.size());
      const auto logarithm = [](Real r) { return r == 0 ? Real(1) : std::asinh(r) / r; };
      logmap0(v, dim, 1, value);
      logmap0_backward(v, grad, dim, 1, slope);
      expect_radial(logarithm, v, grad, dim, value, slope, 1e-5);
      const auto capped = [](Real r) { return r == 0 ? Real(1) : std::sinh(std::min<Real>(r, 1.5L)) / r; };
      expmap0(v, dim, 1, 1.5, value);
      expmap0_backward(v, grad, dim, 1, 1.5, slope);
      if (length < 1.4 || length > 1.6) expect_radial(capped, v, grad, dim, value, slope, 1e-5);
      if (length > 50) continue;
      const auto exponential = [](Real r) { return r == 0 ? Real(1) : std::sinh(r) / r; };
      expmap0(v, dim, 1, kNoCap, value);
      expmap0_backward(v, grad, dim, 1, kNoCap, slope);
      expect_radial(exponential, v, grad, dim, value, slope, 1e-5);
    }
}

TEST(LorentzRows, OnTheCapTheLengthIsThatOfTheCapAndTheRadialGradientZero) {
  for (double c : {0.5, 1.0, 2.0}) {
    const Floats v = {3, 4, 0, 1.4f};  // dim 2: capped, not capped
    Floats x(4), grad(4);
    expmap0(v, 2, c, 1.5, x);
    EXPECT_NEAR(std::hypot(x[0], x[1]), std::sinh(1.5 * std::sqrt(c)) / std::sqrt(c), 1e-6);
    expmap0_backward(v, v, 2, c, 1.5, grad);
    EXPECT_NEAR(grad[0], 0, 1e-7);
    EXPECT_NEAR(grad[1], 0, 1e-7);
    EXPECT_NEAR(grad[3], 1.4 * std::cosh(1.4 * std::sqrt(c)), 1e-6);
  }
}

// The step that takes the loss's gradient in the tangents is the three operations one after the other.
TEST(LorentzRows, TheStepOfTangentsIsBackwardStepAndMap) {
  for (std::int64_t dim : {1, 3, 8, 17, 49})
    for (double radius : {1e-3, 1.0, 5.0}) {
      SCOPED_TRACE("dim " + std::to_string(dim) + " radius " + std::to_string(radius));
      const std::int64_t rows = 300;
      const RsgdStep step{0.05, 0.9, 1e-3, 1.5};
      Floats x = test::random_points(rows, dim, 0.7, radius, 1), tangents(x.size()),
             buffer = test::normal_floats(rows * dim, 2, 0.1);
      const Floats grad = test::normal_floats(rows * dim, 3);
      Floats expected = x, expected_buffer = buffer, of_x(x.size()), expected_tangents(x.size());
      logmap0_backward(x, grad, dim, 0.7, of_x);
      lorentz_rsgd(expected, of_x, expected_buffer, dim, 0.7, step);
      lorentz_rsgd_of_tangents(x, tangents, grad, buffer, dim, 0.7, step);
      for (std::int64_t row = 0; row < rows; ++row) {
        // of_x is rounded to float32, which the metric I + x x^T magnifies.
        double size = 1e-6, buffer_size = 1, metric = 1;
        for (std::int64_t k = row * dim; k < (row + 1) * dim; ++k) {
          size = std::max(size, std::abs(static_cast<double>(expected[k])));
          buffer_size = std::max(buffer_size, std::abs(static_cast<double>(expected_buffer[k])));
          metric += static_cast<double>(x[k]) * x[k];
        }
        for (std::int64_t k = row * dim; k < (row + 1) * dim; ++k) {
          ASSERT_NEAR(x[k], expected[k], 1e-6 * metric * size);
          ASSERT_NEAR(buffer[k], expected_buffer[k], 1e-6 * metric * buffer_size);
        }
      }
      // To the last bit: a resumed run computes them anew.
      logmap0(x, dim, 0.7, expected_tangents);
      EXPECT_EQ(tangents, expected_tangents);
    }
}

TEST(LorentzRows, NanSpoilsItsOwnRowOfTheStepOnly) {
  const std::int64_t dim = 3, rows = 20;
  for (int where : {0, 1, 2}) {
    Floats x = test::random_points(rows, dim, 1, 2, 1), tangents(x.size()), buffer(x.size(), 0.1f),
           grad = test::normal_floats(rows * dim, 2);
    (where == 0 ? x : where == 1 ? grad : buffer)[5 * dim + 1] = std::numeric_limits<float>::quiet_NaN();
    lorentz_rsgd_of_tangents(x, tangents, grad, buffer, dim, 1, RsgdStep{});
    for (std::int64_t i = 0; i < rows * dim; ++i) {
      EXPECT_EQ(std::isnan(x[i]), i / dim == 5) << where;
      EXPECT_EQ(std::isnan(tangents[i]), i / dim == 5) << where;
      EXPECT_EQ(std::isnan(buffer[i]), i / dim == 5) << where;
    }
  }
}

}  // namespace
}  // namespace hyperllm::kernels
