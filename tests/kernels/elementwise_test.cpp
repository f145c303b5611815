#include "hyperllm/kernels/elementwise.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "hyperllm/kernels/lorentz_rows.h"
#include "tests/support/points.h"

namespace hyperllm::kernels {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

TEST(Sgd, FollowsTheFormulaForThreeSteps) {
  const std::int64_t n = 1000;
  std::vector<float> x = test::normal_floats(n, 1), buffer(n, 0.0f);
  std::vector<double> y(x.begin(), x.end()), b(n, 0.0);
  for (std::uint64_t step = 0; step < 3; ++step) {
    const std::vector<float> grad = test::normal_floats(n, 10 + step);
    sgd(x, grad, buffer, 0.1, 0.9, 0.01);
    for (std::int64_t i = 0; i < n; ++i) {
      b[i] = 0.9 * b[i] + (grad[i] + 0.01 * y[i]);
      y[i] -= 0.1 * b[i];
      ASSERT_NEAR(x[i], y[i], 2e-6) << "step " << step;
      ASSERT_NEAR(buffer[i], b[i], 4e-6);
    }
  }
}

// By hand: g = 2, lr = 0.5, momentum = 0.5, no decay: b = 2, x = 1 - 1 = 0; b = 3, x = -1.5.
TEST(Sgd, ByHand) {
  std::vector<float> x = {1}, buffer = {0};
  const std::vector<float> grad = {2};
  sgd(x, grad, buffer, 0.5, 0.5, 0);
  EXPECT_FLOAT_EQ(x[0], 0);
  sgd(x, grad, buffer, 0.5, 0.5, 0);
  EXPECT_FLOAT_EQ(x[0], -1.5f);
  EXPECT_FLOAT_EQ(buffer[0], 3);
}

TEST(Adam, FollowsTheFormulaForFiveSteps) {
  const std::int64_t n = 1000;
  std::vector<float> x = test::normal_floats(n, 1), first(n, 0.0f), second(n, 0.0f);
  std::vector<double> y(x.begin(), x.end()), m(n, 0.0), v(n, 0.0);
  AdamStep step{0.01, 0.8, 0.99, 1e-6, 0.02, 1};
  for (; step.t <= 5; ++step.t) {
    const std::vector<float> grad = test::normal_floats(n, 20 + static_cast<std::uint64_t>(step.t));
    adam(x, grad, first, second, step);
    for (std::int64_t i = 0; i < n; ++i) {
      const double g = grad[i] + 0.02 * y[i];
      m[i] = 0.8 * m[i] + 0.2 * g;
      v[i] = 0.99 * v[i] + 0.01 * g * g;
      const double mean = m[i] / (1 - std::pow(0.8, step.t)), square = v[i] / (1 - std::pow(0.99, step.t));
      y[i] -= 0.01 * mean / (std::sqrt(square) + 1e-6);
      ASSERT_NEAR(x[i], y[i], 2e-6) << "step " << step.t;
    }
  }
}

// The first step of Adam has length lr, whatever the gradient's size.
TEST(Adam, FirstStepHasTheLengthOfTheRate) {
  for (float grad : {1e-3f, 1.0f, 1e3f}) {
    std::vector<float> x = {0}, first = {0}, second = {0};
    adam(x, std::vector<float>{grad}, first, second, AdamStep{});
    EXPECT_NEAR(x[0], -1e-3, 1e-7) << grad;
  }
}

TEST(FirstNonFinite, FindsTheFirst) {
  EXPECT_EQ(first_non_finite({}), -1);
  EXPECT_EQ(first_non_finite(std::vector<float>{0, -1, std::numeric_limits<float>::max()}), -1);
  EXPECT_EQ(first_non_finite(std::vector<float>{kNan}), 0);
  EXPECT_EQ(first_non_finite(std::vector<float>{0, -kInfinity, kNan}), 1);
  std::vector<float> many(1000, 1.0f);
  many[999] = kInfinity;
  EXPECT_EQ(first_non_finite(many), 999);
}

// NaN spoils its own row and no other.
TEST(Rows, AreIndependent) {
  const std::int64_t dim = 3;
  const std::vector<float> clean = test::normal_floats(4 * dim, 1), grad = test::normal_floats(4 * dim, 2);
  std::vector<float> dirty = clean;
  dirty[dim] = kNan;
  const auto expect_second_row_only = [&](auto&& map) {
    std::vector<float> a(clean.size()), b(clean.size());
    map(clean, a);
    map(dirty, b);
    for (std::size_t i = 0; i < a.size(); ++i) {
      if (i / dim == 1) {
        EXPECT_TRUE(std::isnan(b[i]));
      } else {
        EXPECT_EQ(a[i], b[i]);
      }
    }
  };
  expect_second_row_only([&](const auto& in, auto& out) { expmap0(in, dim, 1, kNoCap, out); });
  expect_second_row_only([&](const auto& in, auto& out) { logmap0(in, dim, 1, out); });
  expect_second_row_only([&](const auto& in, auto& out) { expmap0_backward(in, grad, dim, 1, kNoCap, out); });
  expect_second_row_only([&](const auto& in, auto& out) { logmap0_backward(in, grad, dim, 1, out); });
  expect_second_row_only([&](const auto& in, auto& out) {
    out = in;
    std::vector<float> buffer(in.size(), 0.0f);
    lorentz_rsgd(out, grad, buffer, dim, 1, RsgdStep{});
  });
}

}  // namespace
}  // namespace hyperllm::kernels
