#include "hyperllm/kernels/moe.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "hyperllm/base/parallel.h"
#include "hyperllm/kernels/blas.h"

namespace hyperllm::kernels {
namespace {

constexpr std::int64_t kTile = 256;  // rows of one product
constexpr std::int64_t kLanes = 8;   // partial sums of the weight gradient

void softmax(float* z, std::int64_t count) {
  const float largest = *std::max_element(z, z + count);
  double sum = 0;
  for (std::int64_t k = 0; k < count; ++k) sum += z[k] = std::exp(z[k] - largest);
  for (std::int64_t k = 0; k < count; ++k) z[k] = static_cast<float>(z[k] / sum);
}

}  // namespace

void moe_forward(const MoeShape& shape, std::span<const float> s, std::span<const float> weights,
                 std::span<const float> bias, std::span<float> activations, std::span<float> x) {
  const std::int64_t stacked = shape.stacked();
  parallel_ranges(shape.rows, kTile, [&](std::int64_t begin, std::int64_t end) {
    gemm(Transpose::kNo, Transpose::kYes, end - begin, stacked, shape.input, 1, &s[begin * shape.input],
         shape.input, weights.data(), shape.input, 0, &activations[begin * stacked], stacked);
    for (std::int64_t row = begin; row < end; ++row) {
      float* z = &activations[row * stacked];
      for (std::int64_t k = 0; k < stacked; ++k) z[k] += bias[k];
      softmax(z, shape.experts);
      float* out = &x[row * shape.output];
      std::fill(out, out + shape.output, 0.0f);
      for (std::int64_t k = 0; k < shape.experts; ++k) {
        const float* expert = z + shape.experts + k * shape.output;
        for (std::int64_t j = 0; j < shape.output; ++j) out[j] += z[k] * expert[j];
      }
    }
  });
}

void moe_backward(const MoeShape& shape, std::span<const float> s, std::span<const float> weights,
                  std::span<const float> grad_x, std::span<float> activations, std::span<float> grad_weights,
                  std::span<float> grad_bias, std::span<float> grad_s) {
  const std::int64_t stacked = shape.stacked();
  const std::int64_t tiles = (shape.rows + kTile - 1) / kTile;
  std::vector<std::vector<float>> weight_sums(kLanes), bias_sums(kLanes);
  parallel_blocks(kLanes, [&](std::int64_t lane) {
    weight_sums[lane].assign(stacked * shape.input, 0);
    bias_sums[lane].assign(stacked, 0);
    std::vector<float> gate_grad(shape.experts);
    for (std::int64_t tile = lane; tile < tiles; tile += kLanes) {
      const std::int64_t begin = tile * kTile, end = std::min(shape.rows, begin + kTile);
      for (std::int64_t row = begin; row < end; ++row) {
        float* z = &activations[row * stacked];
        const float* g = &grad_x[row * shape.output];
        double mean = 0;
        for (std::int64_t k = 0; k < shape.experts; ++k) {
          float* expert = z + shape.experts + k * shape.output;
          float product = 0;
          for (std::int64_t j = 0; j < shape.output; ++j) {
            product += g[j] * expert[j];
            expert[j] = z[k] * g[j];
          }
          gate_grad[k] = product;
          mean += z[k] * product;
        }
        for (std::int64_t k = 0; k < shape.experts; ++k) z[k] *= gate_grad[k] - static_cast<float>(mean);
        for (std::int64_t k = 0; k < stacked; ++k) bias_sums[lane][k] += z[k];
      }
      gemm(Transpose::kYes, Transpose::kNo, stacked, shape.input, end - begin, 1,
           &activations[begin * stacked], stacked, &s[begin * shape.input], shape.input, 1,
           weight_sums[lane].data(), shape.input);
      if (!grad_s.empty())
        gemm(Transpose::kNo, Transpose::kNo, end - begin, shape.input, stacked, 1,
             &activations[begin * stacked], stacked, weights.data(), shape.input, 0,
             &grad_s[begin * shape.input], shape.input);
    }
  });
  const auto add_lanes = [](const std::vector<std::vector<float>>& sums, std::span<float> out) {
    parallel_ranges(static_cast<std::int64_t>(out.size()), 1 << 14,
                    [&](std::int64_t begin, std::int64_t end) {
                      std::fill(out.begin() + begin, out.begin() + end, 0.0f);
                      for (const std::vector<float>& part : sums)
                        for (std::int64_t i = begin; i < end; ++i) out[i] += part[i];
                    });
  };
  add_lanes(weight_sums, grad_weights);
  add_lanes(bias_sums, grad_bias);
}

}  // namespace hyperllm::kernels
