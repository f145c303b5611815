#include "hyperllm/frameworks/layers.h"

#include <gtest/gtest.h>

#include "hyperllm/base/parallel.h"
#include "hyperllm/manifold/fused.h"
#include "hyperllm/models/backbone.h"
#include "tests/support/gradcheck.h"

namespace hyperllm::frameworks {
namespace {

using torch::Tensor;

// Rows, groups, inputs and outputs beyond one block of the loops.
constexpr std::int64_t kRows = 600, kGroups = 3, kIn = 7, kOut = 150;

std::vector<Tensor> layer_and_gradients(double slope, const Tensor& x_of = {}) {
  Tensor x = models::uniform_tangents(kRows, kGroups * kIn, 1, Random(1, "x"));
  if (x_of.defined()) x = x_of;
  x = x.detach().clone().requires_grad_(true);
  Weights weights = make_weights(kGroups, kOut, kIn, Xavier::kNormal, Random(1, "weights"));
  {
    const torch::NoGradGuard no_grad;
    weights.bias.copy_(models::uniform_tangents(1, kGroups * kOut, 1, Random(1, "bias")).view(-1));
  }
  const Tensor y = layer(x, weights.weight, weights.bias, slope, kGroups);
  (y * models::uniform_tangents(kRows, kGroups * kOut, 1, Random(1, "grad"))).sum().backward();
  return {y.detach(), x.grad(), weights.weight.grad(), weights.bias.grad()};
}

TEST(Layer, TheKernelIsTheReference) {
  for (const double slope : {0.0, 0.01, 1.0}) {
    const std::vector<Tensor> fused = layer_and_gradients(slope);
    manifold::set_force_reference(true);
    const std::vector<Tensor> expected = layer_and_gradients(slope);
    manifold::set_force_reference(false);
    for (std::size_t i = 0; i < fused.size(); ++i)
      EXPECT_LT(test::relative_error(fused[i], expected[i]), 1e-5) << slope << " " << i;
  }
}

TEST(Layer, SameBytesForAnyNumberOfThreads) {
  set_num_threads(1);
  const std::vector<Tensor> one = layer_and_gradients(0);
  for (const int threads : {2, 5}) {
    set_num_threads(threads);
    const std::vector<Tensor> many = layer_and_gradients(0);
    for (std::size_t i = 0; i < one.size(); ++i) EXPECT_TRUE(torch::equal(one[i], many[i])) << i;
  }
  set_num_threads(0);
}

TEST(Layer, ReferenceGradientsAreThoseOfDifferences) {
  torch::manual_seed(1);
  const auto random = [](at::IntArrayRef sizes) { return torch::randn(sizes, torch::kDouble); };
  EXPECT_LT(test::gradient_error(
                [](const std::vector<Tensor>& x) { return layer(x[0], x[1], x[2], 0.01, 2).square().sum(); },
                {random({4, 6}), random({10, 3}), random({10})}, 1e-5),
            1e-6);
}

TEST(MakeWeights, HaveTheDeviationOfXavier) {
  const double expected = std::sqrt(2.0 / (200 + 100));
  const Weights normal = make_weights(2, 100, 200, Xavier::kNormal, Random(1, "w")),
                uniform = make_weights(2, 100, 200, Xavier::kUniform, Random(1, "w"));
  for (const Weights& weights : {normal, uniform}) {
    EXPECT_EQ(weights.weight.sizes(), (std::vector<std::int64_t>{200, 200}));
    EXPECT_NEAR(weights.weight.std().item<double>(), expected, 0.02 * expected);
    EXPECT_EQ(weights.bias.abs().max().item<double>(), 0);
  }
  EXPECT_GT(normal.weight.max().item<double>(), 3 * expected);
  EXPECT_LE(uniform.weight.max().item<double>(), 1.7321 * expected);
}

TEST(InfoNce, HasTheValuesOfItsLimits) {
  constexpr std::int64_t kCount = 9;
  constexpr double kTau = 0.2;
  const std::vector<std::int32_t> same = {0, 1, 2, 3, 4, 5, 6, 7, 8};
  const Tensor z = models::uniform_tangents(kCount, kCount, 1, Random(1, "z"));
  EXPECT_NEAR(info_nce(z, torch::ones({kCount, kCount}), same, kTau).item<double>(), kCount * std::log(9.0),
              1e-4)
      << "all p equal: ln(columns) a row";
  const Tensor orthogonal = 2 * torch::eye(kCount);
  EXPECT_NEAR(info_nce(orthogonal, orthogonal, same, kTau).item<double>(),
              kCount * std::log(1 + 8 * std::exp(-1 / kTau)), 1e-4);
  const Tensor p = models::uniform_tangents(kCount, kCount, 1, Random(1, "p"));
  const double value = info_nce(z, p, same, kTau).item<double>();
  EXPECT_NEAR(info_nce(3 * z, 7 * p, same, kTau).item<double>(), value, 1e-4 * value) << "cosines";
}

TEST(InfoNce, CostsOnRandomRowsWhatTheCosinesSpreadSays) {
  constexpr std::int64_t kCount = 1500, kDim = 40;
  constexpr double kTau = 0.5;
  torch::manual_seed(4);
  const Tensor z = torch::randn({kCount, kDim}), p = torch::randn({kCount, kDim});
  std::vector<std::int32_t> same(kCount);
  for (std::int32_t i = 0; i < kCount; ++i) same[i] = i;
  EXPECT_NEAR(info_nce(z, p, same, kTau).item<double>() / kCount,
              std::log(1.0 * kCount) + 1 / (2 * kDim * kTau * kTau), 0.03);
}

std::vector<Tensor> contrast_and_gradients() {
  constexpr std::int64_t kCount = 700, kOthers = 900;
  Tensor z = models::uniform_tangents(kCount, 20, 1, Random(1, "z")).requires_grad_(true),
         p = models::uniform_tangents(kOthers, 20, 1, Random(1, "p")).requires_grad_(true);
  std::vector<std::int32_t> target;
  std::vector<float> row_counts, column_counts;
  for (std::int32_t i = 0; i < kOthers; ++i) {
    column_counts.push_back(static_cast<float>(1 + i % 3));
    if (i >= kCount) continue;
    target.push_back((7 * i) % kOthers);
    row_counts.push_back(static_cast<float>(1 + i % 4));
  }
  const Tensor value = info_nce(z, p, target, 0.1, row_counts, column_counts);
  value.backward();
  return {value.detach(), z.grad(), p.grad()};
}

TEST(InfoNce, TheKernelIsTheReference) {
  const std::vector<Tensor> fused = contrast_and_gradients();
  manifold::set_force_reference(true);
  const std::vector<Tensor> expected = contrast_and_gradients();
  manifold::set_force_reference(false);
  for (std::size_t i = 0; i < fused.size(); ++i)
    EXPECT_LT(test::relative_error(fused[i], expected[i]), 1e-5) << i;
}

TEST(InfoNce, SameBytesForAnyNumberOfThreads) {
  set_num_threads(1);
  const std::vector<Tensor> one = contrast_and_gradients();
  for (const int threads : {2, 5}) {
    set_num_threads(threads);
    const std::vector<Tensor> many = contrast_and_gradients();
    for (std::size_t i = 0; i < one.size(); ++i) EXPECT_TRUE(torch::equal(one[i], many[i])) << i;
  }
  set_num_threads(0);
}

TEST(InfoNce, CountsStandForRowsAndColumnsThatAreThereAgain) {
  const Tensor z = models::uniform_tangents(3, 4, 1, Random(1, "z")),
               p = models::uniform_tangents(3, 4, 1, Random(1, "p"));
  const Tensor again = torch::tensor({0, 0, 0, 1, 2, 2});
  const double whole =
      info_nce(z.index_select(0, again), p.index_select(0, again), {0, 1, 2, 3, 4, 5}, 0.3).item<double>();
  EXPECT_NEAR(info_nce(z, p, {0, 1, 2}, 0.3, {3, 1, 2}, {3, 1, 2}).item<double>(), whole, 1e-5);
  EXPECT_GT(std::abs(info_nce(z, p, {0, 1, 2}, 0.3).item<double>() - whole), 1);
}

TEST(InfoNce, IsFiniteAtTheOriginAndItsGradientThatOfDifferences) {
  Tensor zero = torch::zeros({2, 3}).requires_grad_(true);
  info_nce(zero, torch::zeros({2, 3}), {0, 1}, 0.05).backward();
  EXPECT_TRUE(torch::isfinite(zero.grad()).all().item<bool>());
  torch::manual_seed(1);
  const auto random = [](at::IntArrayRef sizes) { return torch::randn(sizes, torch::kDouble); };
  EXPECT_LT(test::gradient_error(
                [](const std::vector<Tensor>& x) {
                  return info_nce(x[0], x[1], {4, 0, 2}, 0.3, {1, 2, 3}, {1, 1, 4, 1, 2});
                },
                {random({3, 4}), random({5, 4})}, 1e-5),
            1e-7);
}

}  // namespace
}  // namespace hyperllm::frameworks
