#include "hyperllm/kernels/moe.h"

#include <gtest/gtest.h>

#include "tests/support/gradcheck.h"
#include "tests/support/points.h"

namespace hyperllm::kernels {
namespace {

using torch::Tensor;

Tensor matrix(const std::vector<float>& values, std::int64_t rows, std::int64_t columns) {
  return torch::tensor(values, torch::kFloat).to(torch::kDouble).reshape({rows, columns});
}

// (8)-(10) of the paper, expert by expert.
Tensor mixture(const MoeShape& shape, const Tensor& s, const Tensor& weights, const Tensor& bias) {
  const std::int64_t k = shape.experts;
  const Tensor gate = torch::softmax(s.matmul(weights.narrow(0, 0, k).t()) + bias.narrow(0, 0, k), 1);
  Tensor sum;
  for (std::int64_t expert = 0; expert < k; ++expert) {
    const std::int64_t at = k + expert * shape.output;
    const Tensor out = s.matmul(weights.narrow(0, at, shape.output).t()) + bias.narrow(0, at, shape.output);
    const Tensor part = gate.narrow(1, expert, 1) * out;
    sum = sum.defined() ? sum + part : part;
  }
  return sum;
}

class Moe : public ::testing::TestWithParam<MoeShape> {};

TEST_P(Moe, IsTheFormulaInFloat64) {
  const MoeShape shape = GetParam();
  const auto s = test::normal_floats(shape.rows * shape.input, 1),
             weights = test::normal_floats(shape.stacked() * shape.input, 2, 0.5),
             bias = test::normal_floats(shape.stacked(), 3),
             grad = test::normal_floats(shape.rows * shape.output, 4);
  std::vector<float> activations(static_cast<std::size_t>(shape.rows * shape.stacked())),
      x(grad.size(), 9.0f);
  moe_forward(shape, s, weights, bias, activations, x);

  Tensor inputs = matrix(s, shape.rows, shape.input).requires_grad_(true),
         w = matrix(weights, shape.stacked(), shape.input).requires_grad_(true),
         b = matrix(bias, 1, shape.stacked()).reshape({shape.stacked()}).detach().requires_grad_(true);
  const Tensor expected = mixture(shape, inputs, w, b);
  EXPECT_LT(test::relative_error(matrix(x, shape.rows, shape.output), expected), 1e-6);

  (expected * matrix(grad, shape.rows, shape.output)).sum().backward();
  const std::vector<float> kept = activations;
  std::vector<float> gw(weights.size(), 9.0f), gb(bias.size(), 9.0f), gs(s.size(), 9.0f);
  moe_backward(shape, s, weights, grad, activations, gw, gb, gs);
  EXPECT_LT(test::relative_error(matrix(gw, shape.stacked(), shape.input), w.grad()), 1e-5);
  EXPECT_LT(test::relative_error(matrix(gb, 1, shape.stacked())[0], b.grad()), 1e-5);
  EXPECT_LT(test::relative_error(matrix(gs, shape.rows, shape.input), inputs.grad()), 1e-5);

  std::vector<float> again = kept, gw2(gw.size()), gb2(gb.size());
  moe_backward(shape, s, weights, grad, again, gw2, gb2, {});
  EXPECT_EQ(gw2, gw);
  EXPECT_EQ(gb2, gb);
}

INSTANTIATE_TEST_SUITE_P(Shapes, Moe,
                         ::testing::Values(MoeShape{1, 1, 1, 1}, MoeShape{3, 5, 1, 2},
                                           MoeShape{300, 17, 16, 9}, MoeShape{256, 8, 4, 49},
                                           MoeShape{2100, 6, 3, 5}));

TEST(Moe, OneExpertIsALinearMap) {
  const MoeShape shape{1, 2, 1, 1};
  const std::vector<float> s = {2, 3}, weights = {5, 7, 10, 100}, bias = {1, 0.5f};  // gate row first
  std::vector<float> activations(2), x(1);
  moe_forward(shape, s, weights, bias, activations, x);
  EXPECT_FLOAT_EQ(x[0], 320.5f);
  EXPECT_FLOAT_EQ(activations[0], 1);
}

}  // namespace
}  // namespace hyperllm::kernels
