// Gradients of autograd against central differences in float64.
#pragma once

#include <torch/types.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <vector>

namespace hyperllm::test {

using TensorFunction = std::function<torch::Tensor(const std::vector<torch::Tensor>&)>;

// The largest difference, over random directions, between the directional derivative of the scalar f and its
// five-point central difference, relative to the derivative (or to 1e-3, if that is larger). Inputs are
// float64.
inline double gradient_error(const TensorFunction& f, const std::vector<torch::Tensor>& inputs,
                             double step = 1e-4) {
  std::vector<torch::Tensor> leaves;
  for (const torch::Tensor& input : inputs) leaves.push_back(input.detach().clone().requires_grad_(true));
  f(leaves).backward();
  torch::manual_seed(3);
  double worst = 0;
  for (int repeat = 0; repeat < 6; ++repeat) {
    std::vector<torch::Tensor> directions;
    double analytic = 0;
    for (const torch::Tensor& leaf : leaves) {
      directions.push_back(torch::randn_like(leaf.detach()));
      if (leaf.grad().defined()) analytic += (leaf.grad() * directions.back()).sum().item<double>();
    }
    const auto moved = [&](double by) {
      torch::NoGradGuard guard;
      std::vector<torch::Tensor> points;
      for (std::size_t i = 0; i < leaves.size(); ++i) points.push_back(inputs[i] + by * directions[i]);
      return f(points).item<double>();
    };
    const double numeric =
        (8 * (moved(step) - moved(-step)) - (moved(2 * step) - moved(-2 * step))) / (12 * step);
    const double size = std::max({std::abs(analytic), std::abs(numeric), 1e-3});
    const double error = std::abs(analytic - numeric) / size;
    worst = std::isnan(error) ? std::numeric_limits<double>::infinity() : std::max(worst, error);
  }
  return worst;
}

// |a - b| / |b| (Frobenius), in float64; |a| if b is 0. NaN counts as infinitely wrong.
inline double relative_error(const torch::Tensor& a, const torch::Tensor& b) {
  const torch::Tensor x = a.detach().to(torch::kDouble), y = b.detach().to(torch::kDouble);
  const double size = y.norm().item<double>();
  const double error = (x - y).norm().item<double>() / (size > 0 ? size : 1);
  return std::isnan(error) ? std::numeric_limits<double>::infinity() : error;
}

}  // namespace hyperllm::test
