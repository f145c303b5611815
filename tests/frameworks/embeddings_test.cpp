#include "hyperllm/frameworks/embeddings.h"

#include <gtest/gtest.h>

#include <cmath>

#include "hyperllm/base/error.h"
#include "hyperllm/kernels/bfloat16.h"
#include "hyperllm/manifold/fused.h"

namespace hyperllm::frameworks {
namespace {

void set(torch::Tensor target, std::vector<float> values) {
  const torch::NoGradGuard no_grad;
  target.copy_(torch::tensor(values).view(target.sizes()));
}

// Two experts of two dimensions on one semantic dimension.
std::unique_ptr<Embeddings> hand_made_moe() {
  auto moe = make_moe(torch::tensor({2.0F, 0.0F}).view({2, 1}), {2, 2, false}, Random(1, "experts"));
  const auto parameters = moe->parameters();
  set(parameters[0].value, {0, std::log(3.0F) / 2, 1, 2, -1, 0});
  set(parameters[1].value, {0, 0, 0.5F, 0, 1, 3});
  return moe;
}

// s = 2: gates softmax(0, ln 3) = (1/4, 3/4); experts (2.5, 4) and (-1, 3); x = (-0.125, 3.25).
// s = 0: gates (1/2, 1/2); experts (0.5, 0) and (1, 3); x = (0.75, 1.5).
TEST(Moe, GivesTheNumbersOfHandComputation) {
  for (const bool reference : {false, true}) {
    manifold::set_force_reference(reference);
    const torch::Tensor x = hand_made_moe()->tangents();
    manifold::set_force_reference(false);
    const torch::Tensor expected = torch::tensor({-0.125F, 3.25F, 0.75F, 1.5F}).view({2, 2});
    EXPECT_TRUE(torch::allclose(x, expected, 1e-6, 1e-6)) << x;
  }
}

TEST(Moe, GradientsAreThoseOfTheReference) {
  const torch::Tensor semantic = uniform_tangents(7, 5, 1, Random(1, "semantic"));
  std::vector<std::vector<torch::Tensor>> gradients;
  for (const bool reference : {false, true}) {
    const auto moe = make_moe(semantic, {3, 4, true}, Random(1, "experts"));
    manifold::set_force_reference(reference);
    (moe->tangents() * uniform_tangents(7, 4, 1, Random(1, "weights"))).sum().backward();
    manifold::set_force_reference(false);
    gradients.emplace_back();
    for (const optim::Parameter& parameter : moe->parameters())
      gradients.back().push_back(parameter.value.grad());
  }
  ASSERT_EQ(gradients[0].size(), 3u);
  for (std::size_t i = 0; i < 3; ++i)
    EXPECT_TRUE(torch::allclose(gradients[0][i], gradients[1][i], 1e-4, 1e-6)) << i;
}

Error make_moe_error(const torch::Tensor& semantic, const MoeOptions& options) {
  try {
    make_moe(semantic, options, Random(1, "e"));
  } catch (const Error& error) {
    return error;
  }
  return Error(ErrorCode::kInvalidArgument, "nothing was thrown");
}

TEST(Moe, Bfloat16IsTheReferenceOnRoundedInputs) {
  const torch::Tensor semantic = uniform_tangents(70, 33, 1, Random(1, "semantic"));
  MoeOptions options{3, 4, false, MoePrecision::kBfloat16};
  if (!kernels::has_fast_bfloat16()) {
    EXPECT_EQ(make_moe_error(semantic, options).code(), ErrorCode::kUnavailable);
    GTEST_SKIP() << "this CPU has no bfloat16";
  }
  const auto moe = make_moe(semantic, options, Random(1, "experts"));
  const torch::Tensor x = moe->tangents();
  manifold::set_force_reference(true);
  const torch::Tensor expected = moe->tangents();
  options.precision = MoePrecision::kFloat32;
  const torch::Tensor exact = make_moe(semantic, options, Random(1, "experts"))->tangents();
  manifold::set_force_reference(false);
  EXPECT_LT((x - exact).norm().item<float>(), 5e-3 * exact.norm().item<float>());
  EXPECT_GT((expected - exact).norm().item<float>(), 1e-5 * exact.norm().item<float>());
  options = {3, 4, true, MoePrecision::kBfloat16};
  EXPECT_EQ(make_moe_error(semantic, options).code(), ErrorCode::kInvalidArgument);
}

// A graph that is still alive, and tensors that were handed out, keep what they hold.
TEST(Moe, BuffersThatAreInUseAreLeftAlone) {
  const torch::Tensor semantic = uniform_tangents(7, 5, 1, Random(1, "semantic")),
                      weights = uniform_tangents(7, 4, 1, Random(1, "weights"));
  const auto moe = make_moe(semantic, {3, 4, true}, Random(1, "experts"));
  const auto fresh = make_moe(semantic, {3, 4, true}, Random(1, "experts"));
  const auto gradient = [](const Embeddings& of) { return of.parameters()[0].value.grad(); };
  (fresh->tangents() * weights).sum().backward();
  const torch::Tensor expected = gradient(*fresh);

  const torch::Tensor first = (moe->tangents() * weights).sum(),
                      second = (moe->tangents() * 2 * weights).sum();
  torch::Tensor start;
  {
    const torch::NoGradGuard no_grad;
    start = moe->tangents();
  }
  const torch::Tensor copy = start.clone();
  second.backward();
  const torch::Tensor held = gradient(*moe);
  EXPECT_TRUE(torch::allclose(held, 2 * expected));
  moe->parameters()[0].value.mutable_grad() = torch::Tensor();
  first.backward();
  EXPECT_TRUE(torch::equal(gradient(*moe), expected));
  EXPECT_TRUE(torch::allclose(held, 2 * expected));
  moe->parameters()[0].value.data().fill_(1);
  const torch::Tensor other = moe->tangents();
  EXPECT_TRUE(torch::equal(start, copy));
  EXPECT_FALSE(torch::equal(other, copy));
}

TEST(Moe, MemoryIsUsedAgainFromStepToStep) {
  const auto moe = make_moe(uniform_tangents(7, 5, 1, Random(1, "semantic")), {3, 4, false}, Random(1, "e"));
  std::vector<const void*> places;
  for (int step = 0; step < 3; ++step) {
    for (const auto& parameter : moe->parameters()) {
      torch::Tensor value = parameter.value;
      value.mutable_grad() = torch::Tensor();
    }
    torch::Tensor x = moe->tangents();
    x.sum().backward();
    places.push_back(x.data_ptr());
    places.push_back(moe->parameters()[0].value.grad().data_ptr());
  }
  EXPECT_EQ(places[4], places[2]);
  EXPECT_EQ(places[5], places[3]);
}

TEST(Moe, SemanticEmbeddingsAreAParameterOnlyWhenTuned) {
  const torch::Tensor semantic = uniform_tangents(3, 2, 1, Random(1, "semantic"));
  const auto names = [&](bool tune) {
    std::vector<std::string> out;
    for (const auto& parameter : make_moe(semantic, {2, 2, tune}, Random(1, "e"))->parameters())
      out.push_back(parameter.name);
    return out;
  };
  EXPECT_EQ(names(false), (std::vector<std::string>{"moe.weights", "moe.bias"}));
  EXPECT_EQ(names(true), (std::vector<std::string>{"moe.weights", "moe.bias", "semantic"}));
}

TEST(Moe, StartsWithinOneOverTheRootOfTheInputs) {
  const auto moe = make_moe(torch::zeros({3, 25}), {4, 6, false}, Random(3, "experts"));
  for (const optim::Parameter& parameter : moe->parameters()) {
    EXPECT_LE(parameter.value.abs().max().item<float>(), 0.2F) << parameter.name;
    EXPECT_GT(parameter.value.abs().max().item<float>(), 0.15F) << parameter.name;
  }
}

TEST(Moe, WrongSizesAreErrors) {
  EXPECT_THROW(make_moe(torch::zeros({3, 2}), {0, 2, false}, Random(1, "e")), Error);
  EXPECT_THROW(make_moe(torch::zeros({3, 2}), {2, 0, false}, Random(1, "e")), Error);
}

TEST(Table, PointsAndTangentsStartAtTheSameTangents) {
  const torch::Tensor start = uniform_tangents(20, 5, 0.7, Random(1, "start"));
  for (const double c : {1.0, 0.3}) {
    const auto points = make_table("ids", start, Storage::kPoints, manifold::Curvature(c));
    const auto tangents = make_table("ids", start, Storage::kTangents, manifold::Curvature(c));
    EXPECT_TRUE(torch::equal(tangents->tangents(), start));
    EXPECT_TRUE(torch::allclose(points->tangents(), start, 1e-5, 1e-6));
    EXPECT_EQ(points->parameters()[0].space, optim::Space::kLorentz);
    EXPECT_EQ(tangents->parameters()[0].space, optim::Space::kEuclidean);
    // On the hyperboloid: the space part of expmap0(v) has length sinh(sqrt(c) |v|) / sqrt(c).
    const torch::Tensor length = points->parameters()[0].value.detach().norm(2, 1);
    const torch::Tensor expected = torch::sinh(start.norm(2, 1) * std::sqrt(c)) / std::sqrt(c);
    EXPECT_TRUE(torch::allclose(length, expected, 1e-5, 1e-6));
  }
}

TEST(Table, ATableIsACopyOfItsStart) {
  torch::Tensor start = torch::ones({2, 2});
  const auto table = make_table("ids", start, Storage::kTangents, manifold::Curvature(1));
  start.fill_(5);
  EXPECT_TRUE(torch::equal(table->tangents(), torch::ones({2, 2})));
}

TEST(UniformTangents, FillTheRangeAndDependOnTheStream) {
  const torch::Tensor values = uniform_tangents(200, 10, 0.1, Random(1, "a"));
  EXPECT_LE(values.abs().max().item<float>(), 0.1F);
  EXPECT_NEAR(values.mean().item<float>(), 0, 0.005);
  EXPECT_NEAR(values.std().item<float>(), 0.1 / std::sqrt(3.0), 0.003);
  EXPECT_TRUE(torch::equal(values, uniform_tangents(200, 10, 0.1, Random(1, "a"))));
  EXPECT_FALSE(torch::equal(values, uniform_tangents(200, 10, 0.1, Random(1, "b"))));
}

}  // namespace
}  // namespace hyperllm::frameworks
