// Mixture of experts with linear experts and a softmax gate, (8)-(10) of the paper.
#pragma once

#include <cstdint>
#include <span>

namespace hyperllm::kernels {

struct MoeShape {
  std::int64_t rows;     // users and items
  std::int64_t input;    // d1, semantic dimensions
  std::int64_t experts;  // K
  std::int64_t output;   // d2
  std::int64_t stacked() const { return experts * (output + 1); }
};

// x = sum_k softmax(W_g s + b_g)_k (W_k s + b_k).
// s: rows x input; weights: stacked x input, the K gate rows first, then expert by expert its `output` rows;
// bias: stacked; x: rows x output; activations: rows x stacked, kept for the backward pass (gate
// probabilities, expert outputs).
void moe_forward(const MoeShape& shape, std::span<const float> s, std::span<const float> weights,
                 std::span<const float> bias, std::span<float> activations, std::span<float> x);

// Gradients with respect to weights, bias and, unless grad_s is empty, the inputs. All outputs are
// overwritten; `activations` is overwritten with the gradients before the linear layer. Same bytes for any
// number of threads.
void moe_backward(const MoeShape& shape, std::span<const float> s, std::span<const float> weights,
                  std::span<const float> grad_x, std::span<float> activations, std::span<float> grad_weights,
                  std::span<float> grad_bias, std::span<float> grad_s);

}  // namespace hyperllm::kernels
