#include "hyperllm/kernels/moe.h"

#include <gtest/gtest.h>
#include <hwy/highway.h>

#include <cmath>
#include <limits>

#include "hyperllm/base/error.h"
#include "hyperllm/base/parallel.h"
#include "tests/kernels/engines.h"
#include "tests/support/gradcheck.h"
#include "tests/support/points.h"

namespace hyperllm::kernels {
namespace {

using Floats = std::vector<float>;
using torch::Tensor;

Tensor matrix(const Floats& values, std::int64_t rows, std::int64_t columns) {
  return torch::tensor(values, torch::kFloat).to(torch::kDouble).reshape({rows, columns});
}

struct Problem {
  explicit Problem(const MoeShape& of) : shape(of) {
    const double scale = 1 / std::sqrt(static_cast<double>(of.input));
    s = test::normal_floats(of.rows * of.input, 1);
    weights = test::normal_floats(of.stacked() * of.input, 2, scale);
    bias = test::normal_floats(of.stacked(), 3);
    grad = test::normal_floats(of.rows * of.output, 4);
  }
  MoeShape shape;
  Floats s, weights, bias, grad;
};

struct Results {
  Floats x, weights, bias, s;
  bool operator==(const Results&) const = default;
};

Results results(const Problem& problem, const PanelEngine& engine, bool with_inputs = true) {
  Results out;
  out.x.assign(problem.grad.size(), 9.0f);
  out.weights.assign(problem.weights.size(), 9.0f);
  out.bias.assign(problem.bias.size(), 9.0f);
  if (with_inputs) out.s.assign(problem.s.size(), 9.0f);
  const MoeInputs inputs(problem.s, problem.shape.rows, problem.shape.input, engine);
  Moe moe(problem.shape, engine);
  moe.forward(inputs, problem.weights, problem.bias, out.x, true);
  moe.backward(inputs, problem.weights, problem.grad, out.weights, out.bias, out.s);
  return out;
}

// (8)-(10) of the paper, expert by expert. magnitude: the same sum of absolute values, which is what rounding
// errors are relative to.
Tensor mixture(const MoeShape& shape, const Tensor& s, const Tensor& weights, const Tensor& bias,
               Tensor& magnitude) {
  const std::int64_t k = shape.experts;
  const Tensor gate = torch::softmax(s.matmul(weights.narrow(0, 0, k).t()) + bias.narrow(0, 0, k), 1);
  Tensor sum;
  for (std::int64_t expert = 0; expert < k; ++expert) {
    const std::int64_t at = k + expert * shape.output;
    const Tensor out = s.matmul(weights.narrow(0, at, shape.output).t()) + bias.narrow(0, at, shape.output);
    const Tensor part = gate.narrow(1, expert, 1) * out;
    sum = sum.defined() ? sum + part : part;
    magnitude = magnitude.defined() ? magnitude + part.abs() : part.abs();
  }
  return sum;
}

// Relative errors of value and gradients against float64.
void expect_near_float64(const Problem& problem, const Results& got, double value_error,
                         double gradient_error) {
  const MoeShape& shape = problem.shape;
  Tensor s = matrix(problem.s, shape.rows, shape.input).requires_grad_(true),
         w = matrix(problem.weights, shape.stacked(), shape.input).requires_grad_(true),
         b = matrix(problem.bias, 1, shape.stacked())[0].detach().requires_grad_(true);
  Tensor magnitude;
  const Tensor expected = mixture(shape, s, w, b, magnitude);
  const Tensor error = matrix(got.x, shape.rows, shape.output) - expected;
  EXPECT_LT((error.norm() / magnitude.norm()).item<double>(), value_error);
  (expected * matrix(problem.grad, shape.rows, shape.output)).sum().backward();
  EXPECT_LT(test::relative_error(matrix(got.weights, shape.stacked(), shape.input), w.grad()),
            gradient_error);
  EXPECT_LT(test::relative_error(matrix(got.bias, 1, shape.stacked())[0], b.grad()), gradient_error);
  EXPECT_LT(test::relative_error(matrix(got.s, shape.rows, shape.input), s.grad()), gradient_error);
}

std::vector<MoeShape> shapes() {
  std::vector<MoeShape> all = {{257, 3072, 16, 49}, {7, 3072, 20, 5}, {1, 3072, 4, 49}, {1100, 600, 3, 5}};
  for (std::int64_t rows : {1, 7, 257})
    for (std::int64_t input : {1, 3, 16, 33})
      for (std::int64_t experts : {1, 4, 16, 20})
        for (std::int64_t output : {1, 5, 49}) all.push_back({rows, input, experts, output});
  return all;
}

std::string text(const MoeShape& shape) {
  return std::to_string(shape.rows) + " rows, " + std::to_string(shape.input) + " inputs, " +
         std::to_string(shape.experts) + " experts, " + std::to_string(shape.output) + " outputs";
}

TEST(Moe, IsTheFormulaInFloat64) {
  for (const PanelEngine* engine : float_engines())
    for (const MoeShape& shape : shapes()) {
      SCOPED_TRACE(std::string(engine->name) + ", " + text(shape));
      const Problem problem(shape);
      expect_near_float64(problem, results(problem, *engine), 1e-6, 1e-5);
    }
}

TEST(Moe, EveryInstructionSetGivesTheFormula) {
  for (std::int64_t target : hwy::SupportedAndGeneratedTargets()) {
    hwy::SetSupportedTargetsForTest(target);
    for (const MoeShape& shape : {MoeShape{257, 301, 16, 49}, MoeShape{7, 33, 3, 5}}) {
      SCOPED_TRACE(std::string(hwy::TargetName(target)) + ", " + text(shape));
      const Problem problem(shape);
      expect_near_float64(problem, results(problem, fastest_float_panels()), 1e-6, 1e-5);
    }
    hwy::SetSupportedTargetsForTest(0);
  }
}

TEST(Moe, Bfloat16StaysNearFloat64) {
  for (Bfloat16 kind : bfloat16_kinds())
    for (const MoeShape& shape :
         {MoeShape{257, 3072, 16, 49}, MoeShape{1100, 601, 4, 5}, MoeShape{7, 33, 20, 1}}) {
      if (kind == Bfloat16::kPortable && shape.input > 1000) continue;  // slow
      SCOPED_TRACE(std::string(bfloat16_panels(kind).name) + ", " + text(shape));
      const Problem problem(shape);
      expect_near_float64(problem, results(problem, bfloat16_panels(kind)), 5e-3, 5e-3);
    }
}

TEST(Moe, TheProcessorsBfloat16IsThePortableOne) {
  for (Bfloat16 kind : bfloat16_kinds())
    for (const MoeShape& shape : shapes()) {
      if (kind == Bfloat16::kPortable || shape.rows * shape.input * shape.stacked() > 200000) continue;
      SCOPED_TRACE(std::string(bfloat16_panels(kind).name) + ", " + text(shape));
      const Problem problem(shape);
      const Results expected = results(problem, bfloat16_panels(Bfloat16::kPortable)),
                    got = results(problem, bfloat16_panels(kind));
      if (kind == Bfloat16::kAvx512) {
        EXPECT_TRUE(got == expected);
        continue;
      }
      // Another order of summation; a gradient near the middle of two bfloat16 may then round the other way.
      const auto error = [](const Floats& a, const Floats& b) {
        return test::relative_error(matrix(a, 1, static_cast<std::int64_t>(a.size())),
                                    matrix(b, 1, static_cast<std::int64_t>(b.size())));
      };
      EXPECT_LT(error(got.x, expected.x), 1e-6);
      EXPECT_LT(error(got.bias, expected.bias), 1e-5);
      EXPECT_LT(error(got.weights, expected.weights), 1e-3);
    }
}

TEST(Moe, TheSameBytesOnAnyNumberOfThreads) {
  for (const PanelEngine* engine : engines()) {
    const Problem problem({engine->pairs ? 1201 : 801, 419, 4, 25});
    set_num_threads(1);
    const Results expected = results(problem, *engine);
    for (int threads : {2, 4, 4}) {
      set_num_threads(threads);
      EXPECT_TRUE(results(problem, *engine) == expected) << engine->name << ", " << threads << " threads";
    }
    set_num_threads(0);
  }
}

TEST(Moe, InputGradientsAreOptional) {
  const Problem problem({70, 19, 3, 5});
  const Results with = results(problem, float_panels(), true),
                without = results(problem, float_panels(), false);
  EXPECT_EQ(with.weights, without.weights);
  EXPECT_EQ(with.bias, without.bias);
}

TEST(Moe, NanReachesItsRowAndTheWeights) {
  for (const PanelEngine* engine : engines()) {
    SCOPED_TRACE(engine->name);
    Problem problem({20, 50, 3, 5});
    problem.s[7 * 50 + 11] = std::numeric_limits<float>::quiet_NaN();
    const Results got = results(problem, *engine);
    for (std::int64_t i = 0; i < 20 * 5; ++i) EXPECT_EQ(std::isnan(got.x[i]), i / 5 == 7) << i;
    for (std::size_t i = 0; i < got.bias.size(); ++i) EXPECT_TRUE(std::isnan(got.bias[i]));
    for (std::size_t i = 0; i < got.weights.size(); ++i) EXPECT_TRUE(std::isnan(got.weights[i]));
  }
}

TEST(Moe, BuffersServeAgain) {
  for (const PanelEngine* engine : engines()) {
    const Problem problem({300, 50, 3, 5});
    const MoeInputs inputs(problem.s, 300, 50, *engine);
    Moe moe(problem.shape, *engine);
    const Results expected = results(problem, *engine, false);
    std::size_t bytes = 0;
    for (int pass = 0; pass < 3; ++pass) {
      Results got{
          Floats(problem.grad.size()), Floats(problem.weights.size()), Floats(problem.bias.size()), {}};
      Floats other_weights = problem.weights, x(problem.grad.size());
      for (float& weight : other_weights) weight *= 2;
      moe.forward(inputs, problem.weights, problem.bias, got.x, true);
      moe.forward(inputs, other_weights, problem.bias, x, false);  // an evaluation in between
      moe.backward(inputs, problem.weights, problem.grad, got.weights, got.bias, {});
      EXPECT_TRUE(got == expected) << engine->name;
      if (pass > 0) {
        EXPECT_EQ(moe.bytes(), bytes);
      }
      bytes = moe.bytes();
      EXPECT_THROW(moe.backward(inputs, problem.weights, problem.grad, got.weights, got.bias, {}), Error);
    }
  }
}

TEST(Moe, OneExpertIsALinearMap) {
  const Floats s = {2, 3}, weights = {5, 7, 10, 100}, bias = {1, 0.5f};  // gate row first
  Moe moe({1, 2, 1, 1}, float_panels());
  Floats x(1);
  moe.forward(MoeInputs(s, 1, 2, float_panels()), weights, bias, x, false);
  EXPECT_FLOAT_EQ(x[0], 320.5f);
}

}  // namespace
}  // namespace hyperllm::kernels
