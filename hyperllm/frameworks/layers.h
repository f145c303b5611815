// What frameworks with weights of their own are made of: layers of perceptrons, and a contrast of cosines.
// Float32 goes to the kernels, anything else to ATen. Same bytes for any number of threads.
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "hyperllm/base/random.h"
#include "hyperllm/optim/optimizer.h"

namespace hyperllm::frameworks {

// f(x_g W_g^T + b_g) for each of `groups` groups of columns. x: rows x (groups * in), weight: (groups * out) x
// in, bias: groups * out; returns rows x (groups * out). f: the
// identity above 0, times `slope` below (0: ReLU, 1: no activation). First derivatives only on the kernel
// path.
torch::Tensor layer(const torch::Tensor& x, const torch::Tensor& weight, const torch::Tensor& bias,
                    double slope, std::int64_t groups = 1);

// A layer's parameters.
struct Weights {
  torch::Tensor weight, bias;

  std::vector<optim::Parameter> parameters(const std::string& name, const optim::OwnStep& step) const {
    return {{.name = name + ".weight", .value = weight, .own = step},
            {.name = name + ".bias", .value = bias, .own = step}};
  }
};

enum class Xavier { kNormal, kUniform };
// `stacked` matrices out x in (Glorot and Bengio, AISTATS 2010: variance 2 / (in + out)), biases 0; leaves.
Weights make_weights(std::int64_t stacked, std::int64_t out, std::int64_t in, Xavier xavier, Random random);

// in -> (in + out) / 2, LeakyReLU(0.01) -> out: the perceptron of RLMRec.
struct Perceptron {
  Weights hidden, last;

  Perceptron() = default;
  Perceptron(std::int64_t in, std::int64_t out, Random random);
  torch::Tensor operator()(const torch::Tensor& x) const;
  std::vector<optim::Parameter> parameters(const std::string& name, const optim::OwnStep& step) const;
};

// InfoNCE on cosines: sum over rows i of
//   row_counts[i] * (ln sum_j column_counts[j] exp(cos(z_i, p_j) / tau) - cos(z_i, p_target[i]) / tau),
// where a norm is sqrt(|.|^2 + 1e-8). z: rows x dim, p: columns x dim. Counts stand for rows and columns that
// are there several times; empty: once each. A float64 scalar. Keeps rows x columns floats for the gradients.
torch::Tensor info_nce(const torch::Tensor& z, const torch::Tensor& p,
                       const std::vector<std::int32_t>& target, double tau,
                       const std::vector<float>& row_counts = {},
                       const std::vector<float>& column_counts = {});

}  // namespace hyperllm::frameworks
