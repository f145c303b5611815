// The Riemannian SGD step against one written in float64 with all d + 1 coordinates, as in geoopt's
// RiemannianSGD on its Lorentz manifold.
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "hyperllm/kernels/lorentz_rows.h"
#include "tests/support/points.h"

namespace hyperllm::kernels {
namespace {

using Vector = std::vector<double>;  // time first

double product(const Vector& a, const Vector& b) {
  double sum = -a[0] * b[0];
  for (std::size_t k = 1; k < a.size(); ++k) sum += a[k] * b[k];
  return sum;
}

Vector sum(double s, const Vector& a, double t, const Vector& b) {
  Vector out(a.size());
  for (std::size_t k = 0; k < a.size(); ++k) out[k] = s * a[k] + t * b[k];
  return out;
}

Vector point(const float* x, std::int64_t dim, double c) {
  Vector out = {1 / c};
  for (std::int64_t k = 0; k < dim; ++k) {
    out.push_back(x[k]);
    out[0] += static_cast<double>(x[k]) * x[k];
  }
  out[0] = std::sqrt(out[0]);
  return out;
}

Vector tangent(const Vector& x, const float* u) {
  Vector out = {0};
  for (std::size_t k = 1; k < x.size(); ++k) {
    out.push_back(u[k - 1]);
    out[0] += x[k] * u[k - 1] / x[0];
  }
  return out;
}

struct Expected {
  Vector point, buffer;
};

Expected ambient_step(const Vector& x, const float* space_gradient, const Vector& buffer, double c,
                      const RsgdStep& step) {
  Vector gradient = {0};
  for (std::size_t k = 1; k < x.size(); ++k) gradient.push_back(space_gradient[k - 1]);
  gradient = sum(1, gradient, step.weight_decay, x);
  gradient[0] = -gradient[0];
  gradient = sum(1, gradient, c * product(x, gradient), x);
  const Vector v = sum(step.momentum, buffer, 1, gradient);
  const double length = step.lr * std::sqrt(std::max(product(v, v), 0.0));
  if (length == 0) return {x, v};
  const double z = std::sqrt(c) * std::min(length, step.max_radius);
  const Vector y = sum(std::cosh(z), x, -std::sinh(z) / std::sqrt(c) * step.lr / length, v);
  const Vector middle = sum(1, x, 1, y);
  return {y, sum(1, v, c * product(y, v) / (1 - c * product(x, y)), middle)};
}

struct Setting {
  double c, radius, gradient;
  RsgdStep step;
};

double error(const std::vector<double>& expected, const float* actual) {
  double difference = 0, size = 0;
  for (std::size_t k = 1; k < expected.size(); ++k) {
    difference += (expected[k] - actual[k - 1]) * (expected[k] - actual[k - 1]);
    size += expected[k] * expected[k];
  }
  return std::sqrt(difference) / std::max(std::sqrt(size), 1e-12);
}

TEST(LorentzRsgd, IsTheAmbientStep) {
  const std::int64_t rows = 300, dim = 5;
  const std::vector<Setting> settings = {
      {1, 1, 1, {0.1, 0.9, 0, kNoCap}},       {1, 3, 1, {0.01, 0.95, 5e-4, kNoCap}},
      {0.5, 2, 3, {0.05, 0.5, 0.01, kNoCap}}, {2, 2, 1, {0.1, 0, 0.1, kNoCap}},
      {1, 2, 50, {1, 0.9, 0, 0.5}},           {2, 1, 20, {0.5, 0.9, 1e-3, 1}},
      {0.5, 1, 1e-6, {1e-3, 0.9, 0, 2.0}},
  };
  for (std::size_t s = 0; s < settings.size(); ++s) {
    SCOPED_TRACE("setting " + std::to_string(s));
    const Setting& setting = settings[s];
    for (std::uint64_t repeat = 0; repeat < 3; ++repeat) {
      const std::uint64_t seed = 10 * s + repeat;
      std::vector<float> x = test::random_points(rows, dim, setting.c, setting.radius, seed);
      std::vector<float> buffer = test::normal_floats(rows * dim, 100 + seed, setting.gradient);
      const std::vector<float> gradient = test::normal_floats(rows * dim, 200 + seed, setting.gradient);
      std::vector<Expected> expected;
      for (std::int64_t row = 0; row < rows; ++row) {
        const Vector at = point(&x[row * dim], dim, setting.c);
        expected.push_back(
            ambient_step(at, &gradient[row * dim], tangent(at, &buffer[row * dim]), setting.c, setting.step));
      }
      lorentz_rsgd(x, gradient, buffer, dim, setting.c, setting.step);
      for (std::int64_t row = 0; row < rows; ++row) {
        ASSERT_LT(error(expected[row].point, &x[row * dim]), 1e-6) << "row " << row << " seed " << seed;
        ASSERT_LT(error(expected[row].buffer, &buffer[row * dim]), 2e-6) << "row " << row << " seed " << seed;
      }
    }
  }
}

TEST(LorentzRsgd, StaysWithoutGradientMomentumAndDecay) {
  const std::vector<float> start = test::random_points(3, 4, 1, 2, 1);
  std::vector<float> x = start, buffer(12, 0.0f);
  lorentz_rsgd(x, std::vector<float>(12, 0.0f), buffer, 4, 1, {0.1, 0.9, 0, kNoCap});
  EXPECT_EQ(x, start);
  EXPECT_EQ(buffer, std::vector<float>(12, 0.0f));
}

// From the origin along an axis with a huge gradient: the step ends exactly on the cap.
TEST(LorentzRsgd, CapsTheStep) {
  std::vector<float> x = {0, 0}, buffer = {0, 0};
  lorentz_rsgd(x, std::vector<float>{-1e6f, 0}, buffer, 2, 1, {0.1, 0.9, 0, 1.5});
  EXPECT_NEAR(x[0], std::sinh(1.5), 1e-6);
  EXPECT_EQ(x[1], 0);
}

}  // namespace
}  // namespace hyperllm::kernels
