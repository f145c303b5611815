// Mixture of experts with linear experts and a softmax gate, (8)-(10) of the paper:
//   x = sum_k softmax(W_g s + b_g)_k (W_k s + b_k).
//
// Gates and experts are stacked into one matrix: one product forward, one for the weight gradient. The gating
// is applied to each block of rows while it is in cache.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "hyperllm/base/scratch.h"
#include "hyperllm/kernels/panels.h"

namespace hyperllm::kernels {

struct MoeShape {
  std::int64_t rows;     // users and items
  std::int64_t input;    // d1, semantic dimensions
  std::int64_t experts;  // K
  std::int64_t output;   // d2
  std::int64_t stacked() const { return experts * (output + 1); }
};

// The inputs s (rows x input) in the form that an engine multiplies: a view for float32, which sees later
// changes of s; a rounded copy of half the size for bfloat16, after which s may go.
class MoeInputs {
 public:
  MoeInputs(std::span<const float> s, std::int64_t rows, std::int64_t input, const PanelEngine& engine);
  std::int64_t depth() const { return depth_; }  // elements of a row
  const float* row(std::int64_t index) const { return elements_ + index * depth_; }
  std::size_t bytes() const { return owned_.bytes(); }

 private:
  std::int64_t depth_;
  const float* elements_;
  GrowingScratch owned_;
};

// One forward and backward pass with the buffers they need, which are kept: from the second pass on nothing
// is allocated. Weights: stacked x input, the K gate rows first, then expert by expert its `output` rows;
// bias: stacked; x: rows x output. Same bytes for any number of threads; engines differ in rounding.
class Moe {
 public:
  // `engine` must outlive the object.
  Moe(const MoeShape& shape, const PanelEngine& engine);

  // With `keep`, what backward needs is stored: rows x stacked floats.
  void forward(const MoeInputs& inputs, std::span<const float> weights, std::span<const float> bias,
               std::span<float> x, bool keep);

  // Gradients at the last forward pass with `keep`, which can be used once (kInvalidArgument otherwise). All
  // outputs are overwritten. Gradients with respect to the inputs (rows x input) unless grad_s is empty,
  // always in float32.
  void backward(const MoeInputs& inputs, std::span<const float> weights, std::span<const float> grad_x,
                std::span<float> grad_weights, std::span<float> grad_bias, std::span<float> grad_s);

  std::size_t bytes() const;  // of the buffers, scratch of threads left out

 private:
  void pack_weights(std::span<const float> weights, std::int64_t depth);
  void gradients_before_linear(std::span<const float> weights, std::span<const float> grad_x,
                               std::span<float> grad_bias, std::span<float> grad_s);

  MoeShape shape_;
  const PanelEngine& engine_;
  std::int64_t panel_, depth_;  // columns of its panels, and the k of one product
  std::int64_t stride_;         // stacked(), padded
  std::int64_t kept_stride_;    // of a row of activations, which become packed gradients
  std::int64_t chunk_rows_;     // rows that one product of the weight gradient sums over
  bool kept_ = false;
  GrowingScratch packed_weights_, rounded_weights_, activations_, bias_sums_, bias_;
};

}  // namespace hyperllm::kernels
