#include "hyperllm/optim/optimizer.h"

#include <gtest/gtest.h>

#include "hyperllm/manifold/lorentz.h"

namespace hyperllm::optim {
namespace {

using manifold::Curvature;
using manifold::Lorentz;
using torch::Tensor;

Tensor leaf(const Tensor& value) { return value.detach().clone().requires_grad_(true); }

OptimizerOptions options(const std::string& method, double lr) {
  OptimizerOptions o;
  o.method = method;
  o.lr = lr;
  o.weight_decay = 0;
  return o;
}

// Some loss with a gradient that changes from step to step.
void steps(Optimizer& optimizer, int count) {
  for (int i = 0; i < count; ++i) {
    optimizer.zero_grad();
    Tensor loss = torch::zeros({});
    for (const Parameter& parameter : optimizer.parameters())
      loss = loss + ((parameter.value - 0.3) * (parameter.value + 2)).square().sum();
    loss.backward();
    optimizer.step();
  }
}

std::vector<Parameter> parameters(const std::string& method) {
  torch::manual_seed(1);
  return {{"points", leaf(torch::randn({4, 3})), method == "adam" ? Space::kEuclidean : Space::kLorentz},
          {"weights", leaf(torch::randn({2, 5})), Space::kEuclidean}};
}

bool equal(const std::vector<Parameter>& a, const std::vector<Parameter>& b) {
  bool same = a.size() == b.size();
  for (std::size_t i = 0; same && i < a.size(); ++i) same = torch::equal(a[i].value, b[i].value);
  return same;
}

class State : public ::testing::TestWithParam<const char*> {};

TEST_P(State, ContinuesWhereItWasStored) {
  OptimizerOptions o = options(GetParam(), 1e-4);
  o.momentum_from_gradient = true;
  o.weight_decay = 0.01;
  const auto whole = make_optimizer(parameters(GetParam()), o);
  steps(*whole, 5);
  NamedTensors stored;
  for (const auto& [name, tensor] : whole->state()) stored.emplace_back(name, tensor.clone());
  std::vector<Parameter> values;
  for (const Parameter& p : whole->parameters()) values.push_back({p.name, leaf(p.value), p.space});
  EXPECT_EQ(whole->steps(), 5);
  steps(*whole, 5);

  const auto continue_with = [&](bool with_buffers, bool with_steps) {
    std::vector<Parameter> copies;
    for (const Parameter& p : values) copies.push_back({p.name, leaf(p.value), p.space});
    auto optimizer = make_optimizer(copies, o);
    NamedTensors state = optimizer->state();
    EXPECT_EQ(state.size(), stored.size());
    for (std::size_t i = 0; i < state.size(); ++i) {
      EXPECT_EQ(state[i].first, stored[i].first);
      if (with_buffers) state[i].second.copy_(stored[i].second);
    }
    if (with_steps) optimizer->set_steps(5);
    steps(*optimizer, 5);
    return optimizer;
  };
  EXPECT_TRUE(equal(continue_with(true, true)->parameters(), whole->parameters()));
  EXPECT_FALSE(equal(continue_with(false, true)->parameters(), whole->parameters()));
  EXPECT_FALSE(equal(continue_with(true, false)->parameters(), whole->parameters()));
}

INSTANTIATE_TEST_SUITE_P(Methods, State, ::testing::Values("rsgd", "adam"));

TEST(State, NamesItsTensors) {
  std::vector<std::string> names;
  for (const char* method : {"rsgd", "adam"})
    for (const auto& [name, tensor] : make_optimizer(parameters(method), options(method, 1))->state())
      names.push_back(name);
  EXPECT_EQ(names, (std::vector<std::string>{"momentum/points", "momentum/weights", "first/points",
                                             "second/points", "first/weights", "second/weights"}));
}

TEST(RiemannianSgd, FindsTheNearestPoint) {
  for (double c : {0.5, 1.0, 2.0}) {
    const Lorentz lorentz{Curvature(c)};
    const Tensor target = torch::tensor({{1.0f, -2.0f, 0.5f}, {0.0f, 0.0f, 3.0f}});
    const Tensor x = leaf(torch::tensor({{-1.0f, 0.0f, 0.0f}, {0.0f, 0.0f, 0.0f}}));
    OptimizerOptions o = options("rsgd", 0.1);
    o.momentum = 0.5;
    o.curvature = Curvature(c);
    const auto optimizer = make_optimizer({{"x", x, Space::kLorentz}}, o);
    for (int i = 0; i < 200; ++i) {
      optimizer->zero_grad();
      lorentz.dist2(x, target).sum().backward();
      optimizer->step();
    }
    EXPECT_LT(lorentz.dist(x, target).max().item<float>(), 1e-4) << "c " << c;
  }
}

// Gradient descent on d^2 / 2 with rate lr moves the fraction lr of the way along the geodesic.
TEST(RiemannianSgd, StepsAlongTheGeodesic) {
  const Lorentz lorentz{Curvature(1)};
  const Tensor start = torch::tensor({{1.0f, -0.5f}}), target = torch::tensor({{-2.0f, 1.5f}});
  const Tensor x = leaf(start);
  OptimizerOptions o = options("rsgd", 0.25);
  const auto optimizer = make_optimizer({{"x", x, Space::kLorentz}}, o);
  (lorentz.dist2(x, target).sum() / 2).backward();
  optimizer->step();
  const float whole = lorentz.dist(start, target).item<float>();
  EXPECT_NEAR(lorentz.dist(start, x).item<float>(), 0.25f * whole, 1e-5f);
  EXPECT_NEAR(lorentz.dist(x, target).item<float>(), 0.75f * whole, 1e-5f);
}

// At the origin the first step has length lr |g|, and lr (1 + momentum) |g| with the buffer begun at g.
TEST(RiemannianSgd, MomentumFromGradientCountsTheFirstGradientTwice) {
  for (bool from_gradient : {false, true}) {
    const Tensor x = leaf(torch::zeros({1, 2}));
    OptimizerOptions o = options("rsgd", 0.1);
    o.momentum = 0.9;
    o.momentum_from_gradient = from_gradient;
    const auto optimizer = make_optimizer({{"x", x, Space::kLorentz}}, o);
    x.mutable_grad() = torch::tensor({{3.0f, 4.0f}});
    optimizer->step();
    EXPECT_NEAR(Lorentz{}.dist0(x).item<double>(), 0.1 * 5 * (from_gradient ? 1.9 : 1), 1e-6);
    EXPECT_LT(x[0][0].item<float>(), 0);
  }
}

TEST(RiemannianSgd, CapsTheStep) {
  const Tensor x = leaf(torch::zeros({1, 2}));
  OptimizerOptions o = options("rsgd", 1);
  o.max_radius = 2;
  const auto optimizer = make_optimizer({{"x", x, Space::kLorentz}}, o);
  x.mutable_grad() = torch::tensor({{300.0f, 400.0f}});
  optimizer->step();
  EXPECT_NEAR(Lorentz{}.dist0(x).item<double>(), 2, 1e-5);
}

TEST(Optimizer, AParameterWithoutGradientCountsAsZero) {
  for (const char* method : {"rsgd", "adam"}) {
    const auto optimizer = make_optimizer(parameters(method), options(method, 0.1));
    optimizer->step();
    EXPECT_TRUE(equal(optimizer->parameters(), parameters(method))) << method;
    EXPECT_EQ(optimizer->steps(), 1);
  }
}

TEST(Optimizer, ZeroGradForgetsTheGradients) {
  const auto optimizer = make_optimizer(parameters("adam"), options("adam", 0.1));
  steps(*optimizer, 1);
  EXPECT_TRUE(optimizer->parameters()[0].value.grad().defined());
  optimizer->zero_grad();
  EXPECT_FALSE(optimizer->parameters()[0].value.grad().defined());
}

// Each parameter ends where an optimizer of its own would take it, and the state continues.
TEST(Optimizer, ParametersMayHaveTheirOwnStep) {
  const OptimizerOptions o = options("rsgd", 1e-4);
  std::vector<Parameter> values = parameters("rsgd");
  values[1].own = OwnStep{"adam", 0.01, 0.1};
  const auto together = make_optimizer(values, o);
  const auto points = make_optimizer({parameters("rsgd")[0]}, o);
  OptimizerOptions adam = options("adam", 0.01);
  adam.weight_decay = 0.1;
  const auto weights = make_optimizer({parameters("rsgd")[1]}, adam);
  for (Optimizer* optimizer : {together.get(), points.get(), weights.get()}) steps(*optimizer, 4);
  EXPECT_TRUE(torch::equal(together->parameters()[0].value, points->parameters()[0].value));
  EXPECT_TRUE(torch::equal(together->parameters()[1].value, weights->parameters()[0].value));
  std::vector<std::string> names;
  for (const auto& [name, tensor] : together->state()) names.push_back(name);
  EXPECT_EQ(names, (std::vector<std::string>{"momentum/points", "first/weights", "second/weights"}));

  std::vector<Parameter> copies = values;
  for (std::size_t i = 0; i < copies.size(); ++i) copies[i].value = leaf(together->parameters()[i].value);
  const auto continued = make_optimizer(copies, o);
  NamedTensors state = continued->state();
  for (std::size_t i = 0; i < state.size(); ++i) state[i].second.copy_(together->state()[i].second);
  continued->set_steps(together->steps());
  for (Optimizer* optimizer : {together.get(), continued.get()}) steps(*optimizer, 3);
  EXPECT_TRUE(equal(together->parameters(), continued->parameters()));
}

TEST(Adam, FindsTheMinimum) {
  const Tensor x = leaf(torch::tensor({5.0f, -3.0f}));
  const auto optimizer = make_optimizer({{"x", x, Space::kEuclidean}}, options("adam", 0.1));
  for (int i = 0; i < 500; ++i) {
    optimizer->zero_grad();
    (x - 1).square().sum().backward();
    optimizer->step();
  }
  EXPECT_LT((x - 1).abs().max().item<float>(), 1e-2);
}

std::string refusal(std::vector<Parameter> values, const OptimizerOptions& o) {
  try {
    make_optimizer(std::move(values), o);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
    return error.what();
  }
  return "no error";
}

TEST(Optimizer, RefusesBadOptions) {
  EXPECT_EQ(refusal(parameters("rsgd"), options("adam", 0.1)),
            "[adam] 'points' holds points of a manifold; give Adam tangent vectors");
  EXPECT_EQ(refusal({}, options("sgd", 0.1)), "optimizer: expected one of rsgd, adam, got 'sgd'");
  std::vector<OptimizerOptions> bad(4, options("rsgd", 0.1));
  bad[0].lr = 0;
  bad[1].momentum = 1;
  bad[2].momentum = -0.1;
  bad[3].weight_decay = -1;
  for (const OptimizerOptions& o : bad)
    EXPECT_EQ(refusal({}, o), "optimizer: expected lr > 0, momentum in [0, 1) and weight_decay >= 0");
}

}  // namespace
}  // namespace hyperllm::optim
