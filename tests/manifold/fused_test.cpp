// The float32 kernels, through autograd, against the reference operations in float64.
#include "hyperllm/manifold/fused.h"

#include <gtest/gtest.h>

#include <limits>

#include "hyperllm/kernels/contrast.h"
#include "hyperllm/kernels/triplet.h"
#include "hyperllm/manifold/reference.h"
#include "tests/support/gradcheck.h"
#include "tests/support/points.h"

namespace hyperllm::manifold {
namespace {

using test::relative_error;
using torch::Tensor;

constexpr double kNoCap = std::numeric_limits<double>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

Tensor points(std::int64_t rows, std::int64_t dim, double c, double radius, std::uint64_t seed) {
  return torch::tensor(test::random_points(rows, dim, c, radius, seed)).reshape({rows, dim});
}

struct Pair {
  Tensor kernel, exact;  // float32 and float64 leaves of the same values
  explicit Pair(const Tensor& value)
      : kernel(value.detach().clone().requires_grad_(true)),
        exact(value.detach().to(torch::kDouble).requires_grad_(true)) {}
};

template <typename Map>
void expect_rows_agree(const Tensor& input, const Map& map) {
  const Pair pair(input);
  const Tensor actual = map(pair.kernel), expected = map(pair.exact);
  EXPECT_EQ(actual.scalar_type(), torch::kFloat);
  EXPECT_LT(relative_error(actual, expected), 1e-6);
  const Tensor grad = torch::tensor(test::normal_floats(input.numel(), 9)).reshape(input.sizes());
  actual.backward(grad);
  expected.backward(grad.to(torch::kDouble));
  EXPECT_LT(relative_error(pair.kernel.grad(), pair.exact.grad()), 1e-5);
}

class Fused : public ::testing::TestWithParam<double> {
 protected:
  const double c = GetParam();
};

TEST_P(Fused, MapsAtTheOrigin) {
  const std::int64_t dim = 7;
  const Tensor direction = torch::tensor(test::normal_floats(40 * dim, 1)).reshape({40, dim});
  const Tensor unit = direction / direction.norm(2, 1, true);
  for (double size : {0.0, 1e-20, 1e-6, 1e-3, 5e-3, 0.1, 1.4, 1.6, 6.0}) {
    SCOPED_TRACE(size);
    for (double cap : {kNoCap, 1.5})
      expect_rows_agree(size * unit, [&](const Tensor& v) { return expmap0_rows(v, Curvature(c), cap); });
    expect_rows_agree(std::sinh(size) * unit, [&](const Tensor& x) { return logmap0_rows(x, Curvature(c)); });
  }
  expect_rows_agree((3 * direction).t().contiguous().t(),  // not contiguous
                    [&](const Tensor& v) { return expmap0_rows(v, Curvature(c), 2); });
}

TEST_P(Fused, TripletHinge) {
  const std::int64_t rows = 60;
  for (std::int64_t dim : {1, 8, 9, 17, 49})
    for (double radius : {1e-4, 0.5, 3.0, 6.0})
      for (const kernels::Margin& margin : {kernels::Margin(0.1), {5.0}, {0.1, true}, {5.0, true}}) {
        SCOPED_TRACE("dim " + std::to_string(dim) + " radius " + std::to_string(radius) + " margin " +
                     std::to_string(margin.size) + (margin.adaptive ? ", adaptive" : ""));
        Triplets triplets;
        Random random(4, "triplets");
        for (int t = 0; t < 1300; ++t)
          for (auto* ids : {&triplets.anchor, &triplets.positive, &triplets.negative})
            ids->push_back(static_cast<std::int32_t>(random.below(rows - 3)));  // the last rows: no triplets
        const Pair h(points(rows, dim, c, radius, 3));
        const Tensor actual = triplet_hinge(h.kernel, triplets, margin, Curvature(c)),
                     expected = triplet_hinge(h.exact, triplets, margin, Curvature(c));
        EXPECT_LT(relative_error(actual, expected), 1e-6);
        (0.5 * actual).backward();
        (0.5 * expected).backward();
        EXPECT_LT(relative_error(h.kernel.grad(), h.exact.grad()), 1e-5);
      }
}

struct Size {
  std::int64_t rows, columns;
};

// The Frobenius error relative to the expected size, or to `floor` where that is larger.
double error_above(const Tensor& actual, const Tensor& expected, double floor) {
  const Tensor a = actual.detach().to(torch::kDouble), b = expected.detach().to(torch::kDouble);
  const double error = (a - b).norm().item<double>() / std::max(b.norm().item<double>(), floor);
  return std::isnan(error) ? std::numeric_limits<double>::infinity() : error;
}

TEST_P(Fused, SoftmaxContrast) {
  const std::int64_t dim = 7;
  const std::vector<Size> sizes = {{1, 2}, {1, 65}, {63, 64}, {64, 130}, {65, 63}, {130, 5}, {130, 65}};
  for (const Size& size : sizes)
    for (double radius : {0.5, 1.5, 3.0, 6.0})  // up to about 1.6 by polynomials, beyond by closed forms
      for (double tau : {0.05, 0.2, 0.5, 1.0, 5.0}) {
        SCOPED_TRACE(std::to_string(size.rows) + " x " + std::to_string(size.columns) + " radius " +
                     std::to_string(radius) + " tau " + std::to_string(tau));
        const Pair x(points(size.rows, dim, c, radius, 1)), y(points(size.columns, dim, c, radius, 2));
        const auto target = test::random_targets(size.rows, size.columns, 3);
        const Tensor actual = softmax_contrast(x.kernel, y.kernel, target, Curvature(c), tau),
                     expected = softmax_contrast(x.exact, y.exact, target, Curvature(c), tau);
        // A logit of size l has l * 6e-8 as its last float32 digit, and a softmax weight has that as its
        // relative error: below l = 100 the general bounds hold, above it they grow in proportion.
        const double largest_logit = 4 * radius * radius / (c * tau);
        const double growth = std::max(1.0, largest_logit / 100);
        // The loss of a single row carries the few last digits of its logits.
        // Where every target is by far the nearest, loss and gradients vanish: there the error is measured
        // against what one badly ranked row would give.
        EXPECT_LT(error_above(actual, expected, 1), std::max(1e-6, 2e-7 * largest_logit));
        actual.backward();
        expected.backward();
        const double scale = std::sinh(std::sqrt(c) * radius) / tau;
        EXPECT_LT(error_above(x.kernel.grad(), x.exact.grad(), scale), 1e-5 * growth);
        EXPECT_LT(error_above(y.kernel.grad(), y.exact.grad(), scale), 1e-5 * growth);
      }
}

// As in a trained model: items in clusters at the cap, each row near its target. What points lose to rounding
// then adds up instead of cancelling.
TEST_P(Fused, SoftmaxContrastOfClusters) {
  const std::int64_t rows = 200, columns = 300, clusters = 12;
  const auto normal = [](std::int64_t count, std::int64_t dim, std::uint64_t seed) {
    return torch::tensor(test::normal_floats(count * dim, seed)).reshape({count, dim});
  };
  const auto target = test::random_targets(rows, columns, 3);
  const auto of = test::random_targets(columns, clusters, 4);
  for (std::int64_t dim : {7, 30, 31, 49, 66})
    for (double tau : {0.3, 0.5, 1.0}) {
      SCOPED_TRACE("dim " + std::to_string(dim) + " tau " + std::to_string(tau));
      Tensor items =
          normal(clusters, dim, 1).index_select(0, torch::tensor(of)) + 0.3 * normal(columns, dim, 2);
      items = items / items.norm(2, 1, true) * (std::sinh(1.5) / std::sqrt(c));
      const Tensor users =
          items.index_select(0, torch::tensor(target)) * (1 + 0.1 * normal(rows, dim, 5).clamp(-2, 2));
      const Pair x(users), y(items);
      const Tensor actual = softmax_contrast(x.kernel, y.kernel, target, Curvature(c), tau / c),
                   expected = softmax_contrast(x.exact, y.exact, target, Curvature(c), tau / c);
      EXPECT_LT(relative_error(actual, expected), 1e-6);
      actual.backward();
      expected.backward();
      EXPECT_LT(relative_error(x.kernel.grad(), x.exact.grad()), 1e-5);
      EXPECT_LT(relative_error(y.kernel.grad(), y.exact.grad()), 1e-5);
    }
}

// A row of several targets counts as that many rows of one each.
TEST_P(Fused, SoftmaxContrastOfRowsWithManyTargets) {
  const std::int64_t rows = 200, columns = 70, dim = 7;
  std::vector<std::int64_t> first = {0};
  for (std::int64_t i = 0; i < rows; ++i)
    first.push_back(first.back() + (i == 100 ? 150 : 1 + i % 3));  // one row has more than a tile holds
  const auto target = test::random_targets(first.back(), columns, 3);
  for (double radius : {1.5, 3.0})
    for (double tau : {0.2, 0.5}) {
      SCOPED_TRACE("radius " + std::to_string(radius) + " tau " + std::to_string(tau));
      const Pair x(points(rows, dim, c, radius, 1)), y(points(columns, dim, c, radius, 2));
      const Tensor actual = softmax_contrast(x.kernel, y.kernel, target, Curvature(c), tau / c, first);
      std::vector<std::int64_t> row;
      for (std::int64_t i = 0; i < rows; ++i) row.insert(row.end(), first[i + 1] - first[i], i);
      const Tensor expected = softmax_contrast(x.exact.index_select(0, torch::tensor(row)), y.exact, target,
                                               Curvature(c), tau / c);
      EXPECT_LT(relative_error(actual, expected), 1e-6);
      const Tensor grouped = softmax_contrast(x.exact, y.exact, target, Curvature(c), tau / c, first);
      EXPECT_LT(relative_error(grouped, expected), 1e-12);
      actual.backward();
      expected.backward();
      EXPECT_LT(relative_error(x.kernel.grad(), x.exact.grad()), 1e-5);
      EXPECT_LT(relative_error(y.kernel.grad(), y.exact.grad()), 1e-5);
    }
}

// Columns that are no points add exp(0) to every row's sum, whichever polynomials serve.
TEST_P(Fused, SoftmaxContrastBesideNothing) {
  const std::int64_t rows = 150, columns = 70, dim = 7;
  std::vector<std::int64_t> target = test::random_targets(rows, columns, 3), first(rows + 1);
  for (std::int64_t i = 0; i <= rows; ++i) first[i] = i;
  for (const std::int64_t i : {0, 5, 6, 149}) target[i] = -1;
  for (const std::int64_t nothing : {1, 30})
    for (const double radius : {0.0, 0.7, 3.0})
      for (const double tau : {0.001, 0.05, 0.5}) {
        SCOPED_TRACE("radius " + std::to_string(radius) + " tau " + std::to_string(tau));
        const Pair x(points(rows, dim, c, radius, 1)), y(points(columns, dim, c, radius, 2));
        const auto of = [&](const Tensor& a, const Tensor& b) {
          return softmax_contrast(a, b, target, Curvature(c), tau / c, first, nothing);
        };
        const Tensor actual = of(x.kernel, y.kernel), expected = of(x.exact, y.exact);
        const double by_hand =
            torch::logsumexp(
                torch::cat({-acosh1p_squared(reference::half_squared_chord(x.exact[0], y.exact, c)) / tau,
                            torch::zeros({nothing}, torch::kDouble)}),
                0)
                .item<double>();
        const std::vector<std::int64_t> none = {-1};
        EXPECT_NEAR(
            softmax_contrast(x.exact.narrow(0, 0, 1), y.exact, none, Curvature(c), tau / c, {}, nothing)
                .item<double>(),
            by_hand, 1e-9);
        EXPECT_LT(relative_error(actual, expected), 1e-6 + 1e-8 / tau);  // rounding of v
        actual.backward();
        expected.backward();
        EXPECT_LT(relative_error(x.kernel.grad(), x.exact.grad()), 1e-5);
        EXPECT_LT(relative_error(y.kernel.grad(), y.exact.grad()), 1e-5);
      }
}

INSTANTIATE_TEST_SUITE_P(Curvatures, Fused, ::testing::Values(0.5, 1.0, 2.0));

TEST(SoftmaxContrast, NothingAlone) {
  for (const torch::ScalarType type : {torch::kFloat, torch::kDouble}) {
    Tensor x = torch::ones({3, 2}, type).requires_grad_(true), y = torch::zeros({0, 2}, type);
    const Tensor loss = softmax_contrast(x, y, {-1, -1, -1}, Curvature(1), 0.05, {}, 3);
    EXPECT_NEAR(loss.item<double>(), 3 * std::log(3), 1e-12);
    loss.backward();
    EXPECT_EQ(x.grad().abs().max().item<double>(), 0);
  }
}

TEST(SoftmaxContrast, OneColumnHasNoLoss) {
  const Pair x(points(5, 3, 1, 2, 1)), y(points(1, 3, 1, 2, 2));
  const Tensor loss = softmax_contrast(x.kernel, y.kernel, {0, 0, 0, 0, 0}, Curvature(1), 0.2);
  EXPECT_NEAR(loss.item<double>(), 0, 1e-4);
  loss.backward();
  EXPECT_LT(x.kernel.grad().abs().max().item<double>(), 1e-3);
}

// Columns equally far from x: the loss is log(columns), whatever tau is.
TEST(SoftmaxContrast, EqualColumns) {
  const Tensor x = torch::zeros({2, 2}), y = torch::tensor({{1.0f, 0.0f}, {0.0f, 1.0f}, {-1.0f, 0.0f}});
  for (double tau : {0.05, 1.0})
    EXPECT_NEAR(softmax_contrast(x, y, {0, 2}, Curvature(1), tau).item<double>(), 2 * std::log(3), 1e-5);
}

TEST(SoftmaxContrast, ValueAloneIsTheSame) {
  const auto x = test::random_points(70, 5, 1, 2, 1), y = test::random_points(90, 5, 1, 2, 2);
  const auto target = test::random_targets(70, 90, 3);
  std::vector<float> gx(x.size()), gy(y.size());
  EXPECT_EQ(kernels::softmax_contrast(x, y, target, 5, 1, 0.2, gx, gy),
            kernels::softmax_contrast(x, y, target, 5, 1, 0.2, {}, {}));
}

TEST(SoftmaxContrast, NanStaysNan) {
  for (int side : {0, 1}) {
    Tensor x = points(70, 3, 1, 2, 1), y = points(66, 3, 1, 2, 2);
    (side ? y : x)[65][1] = kNan;
    const auto target = test::random_targets(70, 66, 3);
    EXPECT_TRUE(std::isnan(softmax_contrast(x, y, target, Curvature(1), 0.2).item<double>()));
  }
}

// d^2(a, p) = 1, d^2(a, n) = 4 on one geodesic: 1 - 4 + margin.
TEST(TripletHinge, ByHand) {
  const auto at = [](double r) { return static_cast<float>(std::sinh(r)); };
  const std::vector<float> h = {0, 0, at(1), 0, at(2), 0};
  const std::vector<std::int32_t> a = {0}, p = {1}, n = {2};
  std::vector<float> grad(6, 9.0f);
  std::vector<kernels::TripletTerm> terms(1);
  std::int64_t active = -1;
  EXPECT_NEAR(kernels::triplet_hinge(h, 2, 1, {a, p, n}, 3.5, terms, &active), 0.5, 1e-6);
  EXPECT_EQ(active, 1);
  // At the origin the coordinates' metric is Euclidean, so d(d^2(a, p) - d^2(a, n)) = -2 + 4.
  kernels::triplet_hinge_backward(h, 2, 1, {a, p, n}, terms, 1, grad);
  EXPECT_NEAR(grad[0], 2, 1e-5);
  EXPECT_EQ(grad[1], 0);
  EXPECT_EQ(kernels::triplet_hinge(h, 2, 1, {a, p, n}, 2.9, terms, &active), 0);
  EXPECT_EQ(active, 0);
  kernels::triplet_hinge_backward(h, 2, 1, {a, p, n}, terms, 1, grad);
  EXPECT_EQ(grad, std::vector<float>(6, 0.0f));
}

// Coincident points at the time 2: delta = 0.5. Along the ray, delta has its maximum there.
TEST(TripletHinge, AnAdaptiveMarginByHand) {
  const float at = std::sqrt(3.0F);
  const std::vector<float> h = {at, 0, at, 0, at, 0};
  const std::vector<std::int32_t> a = {0}, p = {1}, n = {2};
  std::vector<float> grad(6);
  std::vector<kernels::TripletTerm> terms(1);
  EXPECT_NEAR(kernels::triplet_hinge(h, 2, 1, {a, p, n}, {4, true}, terms), 4 / (1 + std::exp(-0.5)), 1e-6);
  kernels::triplet_hinge_backward(h, 2, 1, {a, p, n}, terms, 1, grad);
  for (const float slope : {grad[0] + grad[2] + grad[4], grad[1] + grad[3] + grad[5]})
    EXPECT_NEAR(slope, 0, 1e-6);
}

TEST(TripletHinge, NanStaysNan) {
  std::vector<float> h = {0, 0, kNan, 0, 1, 0};
  const std::vector<std::int32_t> a = {0}, p = {1}, n = {2};
  std::vector<kernels::TripletTerm> terms(1);
  EXPECT_TRUE(std::isnan(kernels::triplet_hinge(h, 2, 1, {a, p, n}, 1, terms)));
  EXPECT_TRUE(std::isnan(kernels::triplet_hinge(h, 2, 1, {a, n, p}, 1, terms)));
  EXPECT_TRUE(std::isnan(kernels::triplet_hinge(h, 2, 1, {p, a, n}, 1, terms)));
  EXPECT_TRUE(std::isnan(kernels::triplet_hinge(h, 2, 1, {a, p, n}, {1, true}, terms)));
}

TEST(ForceReference, SwitchesTheKernelsOff) {
  const Tensor x = points(3, 2, 1, 1, 1);
  EXPECT_TRUE(use_kernel(x));
  EXPECT_FALSE(use_kernel(x.to(torch::kDouble)));
  const Tensor fast = expmap0_rows(x, Curvature(1), 2);
  set_force_reference(true);
  EXPECT_TRUE(force_reference());
  EXPECT_FALSE(use_kernel(x));
  const Tensor slow = expmap0_rows(x, Curvature(1), 2);
  set_force_reference(false);
  EXPECT_TRUE(use_kernel(x));
  EXPECT_LT(relative_error(fast, slow), 1e-6);
}

}  // namespace
}  // namespace hyperllm::manifold
