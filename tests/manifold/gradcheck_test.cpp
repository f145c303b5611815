// The reference operations' gradients against central differences in float64.
#include "tests/support/gradcheck.h"

#include <gtest/gtest.h>

#include <limits>
#include <utility>

#include "hyperllm/manifold/fused.h"
#include "hyperllm/manifold/lorentz.h"
#include "hyperllm/manifold/poincare.h"
#include "hyperllm/manifold/reference.h"

namespace hyperllm::manifold {
namespace {

using test::gradient_error;
using torch::Tensor;
using Inputs = std::vector<Tensor>;

constexpr double kTolerance = 1e-7;
constexpr double kNoCap = std::numeric_limits<double>::infinity();

Tensor random(std::int64_t rows, std::int64_t dim, double scale = 1) {
  return scale * torch::randn({rows, dim}, torch::kDouble);
}

// A scalar that weighs all entries differently.
Tensor mixed(const Tensor& value) {
  return (value * torch::linspace(0.5, 2, value.numel(), torch::kDouble).reshape(value.sizes())).sum();
}

class Gradients : public ::testing::TestWithParam<double> {
 protected:
  Gradients() { torch::manual_seed(11); }
  const double c = GetParam();
};

TEST_P(Gradients, Expmap0) {
  const Tensor unit = random(8, 4) / 4, far = unit / unit.norm(2, 1, true);
  for (double cap : {kNoCap, 1.5})
    for (const Tensor& v :
         {torch::zeros({3, 4}, torch::kDouble), random(8, 4, 1e-3), 1.4 * far, 1.6 * far, 5 * far})
      EXPECT_LT(gradient_error(
                    [&](const Inputs& in) { return mixed(expmap0_rows(in[0], Curvature(c), cap)); }, {v}),
                kTolerance)
          << "cap " << cap << "\n"
          << v;
}

TEST_P(Gradients, Logmap0) {
  for (const Tensor& x :
       {torch::zeros({3, 4}, torch::kDouble), random(8, 4, 1e-3), random(8, 4), random(8, 4, 200)})
    EXPECT_LT(gradient_error([&](const Inputs& in) { return mixed(logmap0_rows(in[0], Curvature(c))); }, {x}),
              kTolerance)
        << x;
}

TEST_P(Gradients, SquaredDistance) {
  const Lorentz lorentz{Curvature(c)};
  const Poincare ball{Curvature(c)};
  const Tensor origin = torch::zeros({4, 3}, torch::kDouble), x = random(4, 3), far = random(4, 3, 100);
  const std::vector<std::pair<Tensor, Tensor>> pairs = {
      {origin, origin},         {x, x},      {x, x + 1e-3}, {x, random(4, 3)},
      {far, random(4, 3, 100)}, {origin, x}, {x, far}};
  for (const auto& [a, b] : pairs) {
    EXPECT_LT(gradient_error([&](const Inputs& in) { return mixed(lorentz.dist2(in[0], in[1])); }, {a, b}),
              kTolerance)
        << a << b;
    EXPECT_LT(gradient_error([&](const Inputs& in) { return mixed(ball.dist2(in[0], in[1])); },
                             {ball.from_lorentz(a) * 0.9, ball.from_lorentz(b) * 0.9}),
              kTolerance)
        << a << b;
  }
}

// Second derivatives pass through the slope's own formula.
TEST_P(Gradients, SlopeOfTheSquaredDistance) {
  const Tensor t = torch::tensor({0.1, 0.5, 2.0, 30.0}, torch::kDouble) * c;
  const auto slope = [](const Inputs& in) {
    Tensor leaf = in[0].requires_grad() ? in[0] : in[0].detach().clone().requires_grad_(true);
    torch::AutoGradMode on(true);
    return torch::autograd::grad({acosh1p_squared(leaf).sum()}, {leaf}, {}, true, true)[0].sum();
  };
  EXPECT_LT(gradient_error(slope, {t}), kTolerance);
}

TEST_P(Gradients, TripletHinge) {
  const Triplets triplets{
      {0, 1, 2, 3, 0, 0}, {1, 2, 3, 4, 0, 5}, {5, 4, 0, 1, 3, 0}};  // two with a = p or a = n
  for (double scale : {0.5, 3.0})
    for (const kernels::Margin& margin : {kernels::Margin(0.1), {2.0}, {50.0}, {2.0, true}, {50.0, true}})
      EXPECT_LT(gradient_error(
                    [&](const Inputs& in) { return triplet_hinge(in[0], triplets, margin, Curvature(c)); },
                    {random(6, 4, scale)}),
                kTolerance)
          << "scale " << scale << " margin " << margin.size << (margin.adaptive ? ", adaptive" : "");
}

TEST_P(Gradients, SoftmaxContrast) {
  for (double tau : {0.05, 1.0})
    for (double scale : {0.0, 0.3, 20.0})
      EXPECT_LT(gradient_error(
                    [&](const Inputs& in) {
                      return softmax_contrast(in[0], in[1], {2, 2, 0, 1, 3}, Curvature(c), tau);
                    },
                    {random(5, 3, scale), random(4, 3, scale)}, 1e-4 * tau),
                100 * kTolerance)
          << "tau " << tau << " scale " << scale;
}

INSTANTIATE_TEST_SUITE_P(Curvatures, Gradients, ::testing::Values(0.5, 1.0, 2.0));

TEST(Gradcheck, FindsAWrongGradient) {
  const Tensor x = torch::ones({3}, torch::kDouble);
  EXPECT_GT(gradient_error([](const Inputs& in) { return (in[0] * in[0].detach()).sum(); }, {x}), 0.1);
  EXPECT_GT(gradient_error([](const Inputs& in) { return (in[0] - in[0]).sum().sqrt(); }, {x}), 0.1);  // NaN
  EXPECT_LT(gradient_error([](const Inputs& in) { return in[0].pow(3).sum(); }, {x}), 1e-10);
}

// What a clamp or acosh itself would do at 0.
TEST(Reference, LimitsAtZero) {
  Tensor t = torch::zeros({2}, torch::kDouble).requires_grad_(true);
  acosh1p_squared(t).sum().backward();
  EXPECT_EQ(t.grad()[0].item<double>(), 2);
  EXPECT_EQ(acosh1p_squared(torch::full({1}, -1e-9, torch::kDouble)).item<double>(), 0);
  Tensor x = torch::zeros({1, 3}, torch::kDouble).requires_grad_(true);
  safe_norm(x).sum().backward();
  EXPECT_TRUE(torch::equal(x.grad(), torch::zeros({1, 3}, torch::kDouble)));
}

}  // namespace
}  // namespace hyperllm::manifold
