#include "hyperllm/kernels/moe.h"

#include <algorithm>
#include <cmath>

#include "hyperllm/base/error.h"
#include "hyperllm/base/parallel.h"
#include "hyperllm/kernels/bfloat16.h"
#include "hyperllm/kernels/blas.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "hyperllm/kernels/moe.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace hyperllm::kernels::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

inline void softmax(float* z, std::int64_t count) {
  const float largest = *std::max_element(z, z + count);
  double sum = 0;
  for (std::int64_t k = 0; k < count; ++k) sum += z[k] = std::exp(z[k] - largest);
  for (std::int64_t k = 0; k < count; ++k) z[k] = static_cast<float>(z[k] / sum);
}

// z: rows of `padded` floats, `stride` apart, W s on entry, gate probabilities and expert outputs on return.
// bias: `padded` floats.
HWY_ATTR void mix_rows(const MoeShape& shape, std::int64_t rows, std::int64_t padded, std::int64_t stride,
                       const float* bias, float* z, float* x) {
  const hn::ScalableTag<float> d;
  const std::int64_t lanes = static_cast<std::int64_t>(hn::Lanes(d)), dim = shape.output;
  for (std::int64_t row = 0; row < rows; ++row, z += stride, x += dim) {
    for (std::int64_t j = 0; j < padded; j += lanes)
      hn::Store(hn::Add(hn::Load(d, z + j), hn::Load(d, bias + j)), d, z + j);
    softmax(z, shape.experts);
    const float* outputs = z + shape.experts;
    std::int64_t j = 0;
    for (; j + lanes <= dim; j += lanes) {
      auto sum = hn::Zero(d);
      for (std::int64_t k = 0; k < shape.experts; ++k)
        sum = hn::MulAdd(hn::Set(d, z[k]), hn::LoadU(d, outputs + k * dim + j), sum);
      hn::StoreU(sum, d, x + j);
    }
    for (; j < dim; ++j) {
      float sum = 0;
      for (std::int64_t k = 0; k < shape.experts; ++k) sum += z[k] * outputs[k * dim + j];
      x[j] = sum;
    }
  }
}

// z: what mix_rows left. gradients: rows of `padded` floats, with respect to W s + b, zero beyond stacked().
// bias_sum: `padded` floats, gets their sum. gate: scratch of `experts` floats.
HWY_ATTR void unmix_rows(const MoeShape& shape, std::int64_t rows, std::int64_t padded, std::int64_t stride,
                         const float* z, const float* grad_x, float* gradients, float* bias_sum,
                         float* gate) {
  const hn::ScalableTag<float> d;
  const std::int64_t lanes = static_cast<std::int64_t>(hn::Lanes(d)), dim = shape.output;
  std::fill(bias_sum, bias_sum + padded, 0.0f);
  for (std::int64_t row = 0; row < rows; ++row, z += stride, grad_x += dim, gradients += padded) {
    double mean = 0;
    for (std::int64_t k = 0; k < shape.experts; ++k) {
      const float* output = z + shape.experts + k * dim;
      float* out = gradients + shape.experts + k * dim;
      const auto probability = hn::Set(d, z[k]);
      auto sum = hn::Zero(d);
      std::int64_t j = 0;
      for (; j + lanes <= dim; j += lanes) {
        const auto g = hn::LoadU(d, grad_x + j);
        sum = hn::MulAdd(g, hn::LoadU(d, output + j), sum);
        hn::StoreU(hn::Mul(probability, g), d, out + j);
      }
      float product = hn::GetLane(hn::SumOfLanes(d, sum));
      for (; j < dim; ++j) {
        product += grad_x[j] * output[j];
        out[j] = z[k] * grad_x[j];
      }
      gate[k] = product;
      mean += z[k] * product;
    }
    for (std::int64_t k = 0; k < shape.experts; ++k)
      gradients[k] = z[k] * (gate[k] - static_cast<float>(mean));
    std::fill(gradients + shape.stacked(), gradients + padded, 0.0f);
    for (std::int64_t j = 0; j < padded; j += lanes)
      hn::Store(hn::Add(hn::Load(d, bias_sum + j), hn::Load(d, gradients + j)), d, bias_sum + j);
  }
}

}  // namespace hyperllm::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace hyperllm::kernels {

HWY_EXPORT(mix_rows);
HWY_EXPORT(unmix_rows);

namespace {

constexpr std::int64_t kRows = 192;    // of a forward block, which stays in L2 with its outputs
constexpr std::int64_t kGroup = 256;   // columns of the weight gradient that are packed and summed together
constexpr std::int64_t kLine = 16;     // floats
constexpr std::int64_t kRowLines = 2;  // rows come in pairs of lines, so that packed ones fill lines too
constexpr std::int64_t kRowsPadding = 32;  // rows that packing may round the last chunk up to

std::int64_t round_up(std::int64_t value, std::int64_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}
std::int64_t blocks(std::int64_t value, std::int64_t size) { return (value + size - 1) / size; }

// Scratch that lives as long as the thread.
float* scratch(int which, std::int64_t count) {
  thread_local GrowingScratch buffers[2];
  return buffers[which].get(static_cast<std::size_t>(count));
}

}  // namespace

MoeInputs::MoeInputs(std::span<const float> s, std::int64_t rows, std::int64_t input,
                     const PanelEngine& engine)
    : depth_(engine.pairs ? (input + 1) / 2 : input), elements_(s.data()) {
  if (!engine.pairs) return;
  float* elements = owned_.get(static_cast<std::size_t>(rows * depth_));
  parallel_ranges(rows, kRows, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row)
      round_to_pairs(&s[row * input], input, elements + row * depth_);
  });
  elements_ = elements;
}

Moe::Moe(const MoeShape& shape, const PanelEngine& engine)
    : shape_(shape),
      engine_(engine),
      panel_(engine.columns),
      depth_(engine.near_depth),
      stride_(round_up(shape.stacked(), kRowLines * kLine)),
      kept_stride_(engine.packed_floats(stride_)),
      chunk_rows_(engine.pairs ? 2 * engine.near_depth : engine.near_depth) {}

std::size_t Moe::bytes() const {
  return packed_weights_.bytes() + rounded_weights_.bytes() + activations_.bytes() + bias_sums_.bytes() +
         bias_.bytes();
}

// Depth chunk by depth chunk, the panels of all outputs.
void Moe::pack_weights(std::span<const float> weights, std::int64_t depth) {
  const std::int64_t stacked = shape_.stacked(), panels = blocks(stacked, panel_),
                     chunks = blocks(depth, depth_);
  const float* elements = weights.data();
  if (engine_.pairs) {
    float* rounded = rounded_weights_.get(static_cast<std::size_t>(stacked * depth));
    parallel_ranges(stacked, kLine, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t k = begin; k < end; ++k)
        round_to_pairs(&weights[k * shape_.input], shape_.input, rounded + k * depth);
    });
    elements = rounded;
  }
  float* packed =
      packed_weights_.get(static_cast<std::size_t>(panels * panel_ * engine_.packed_depth(depth)));
  parallel_blocks(chunks * panels, [&](std::int64_t block) {
    const std::int64_t chunk = block / panels, panel = block % panels;
    const std::int64_t k = std::min(depth_, depth - chunk * depth_), packed_k = engine_.packed_depth(k);
    engine_.pack_panel_transposed(
        elements + panel * panel_ * depth + chunk * depth_, depth, k,
        std::min(panel_, stacked - panel * panel_), packed_k,
        packed + (engine_.packed_depth(chunk * depth_) * panels + panel * packed_k) * panel_);
  });
}

void Moe::forward(const MoeInputs& inputs, std::span<const float> weights, std::span<const float> bias,
                  std::span<float> x, bool keep) {
  const std::int64_t depth = inputs.depth(), panels = blocks(shape_.stacked(), panel_);
  pack_weights(weights, depth);
  const float* packed_weights = packed_weights_.get(0);
  float* padded_bias = bias_.get(static_cast<std::size_t>(stride_));
  std::fill(std::copy(bias.begin(), bias.end(), padded_bias), padded_bias + stride_, 0.0f);
  float* kept = keep ? activations_.get(static_cast<std::size_t>((shape_.rows + kRowsPadding) * kept_stride_))
                     : nullptr;
  parallel_ranges(shape_.rows, kRows, [&](std::int64_t begin, std::int64_t end) {
    const std::int64_t rows = end - begin;
    float* a = scratch(0, engine_.packed_size(kRows, depth_));
    const std::int64_t stride = kept ? kept_stride_ : stride_;
    float* z = kept ? kept + begin * stride : scratch(1, kRows * stride);
    for (std::int64_t at = 0; at < depth; at += depth_) {
      const std::int64_t k = std::min(depth_, depth - at), packed_k = engine_.packed_depth(k);
      engine_.pack_rows(inputs.row(begin) + at, depth, rows, k, a);
      for (std::int64_t panel = 0; panel < panels; ++panel)
        engine_.multiply(a, packed_weights + (engine_.packed_depth(at) * panels + panel * packed_k) * panel_,
                         rows, std::min(panel_, stride_ - panel * panel_), k, z + panel * panel_, stride,
                         at > 0);
    }
    HWY_DYNAMIC_DISPATCH(mix_rows)(shape_, rows, stride_, stride, padded_bias, z, &x[begin * shape_.output]);
  });
  kept_ = keep || kept_;
}

// Replaces the activations, chunk by chunk, with the packed gradients with respect to W s + b.
void Moe::gradients_before_linear(std::span<const float> weights, std::span<const float> grad_x,
                                  std::span<float> grad_bias, std::span<float> grad_s) {
  const std::int64_t stacked = shape_.stacked(), chunks = blocks(shape_.rows, chunk_rows_);
  float* activations = activations_.get(0);
  float* bias_sums = bias_sums_.get(static_cast<std::size_t>(chunks * stride_));
  parallel_ranges(shape_.rows, chunk_rows_, [&](std::int64_t begin, std::int64_t end) {
    const std::int64_t rows = end - begin;
    float* gradients = scratch(0, chunk_rows_ * stride_ + shape_.experts);
    float* z = activations + begin * kept_stride_;
    HWY_DYNAMIC_DISPATCH(unmix_rows)
    (shape_, rows, stride_, kept_stride_, z, &grad_x[begin * shape_.output], gradients,
     bias_sums + begin / chunk_rows_ * stride_, gradients + chunk_rows_ * stride_);
    if (!grad_s.empty())
      gemm(Transpose::kNo, Transpose::kNo, rows, shape_.input, stacked, 1, gradients, stride_, weights.data(),
           shape_.input, 0, &grad_s[begin * shape_.input], shape_.input);
    if (engine_.pairs) {
      for (std::int64_t row = 0; row < rows; row += 2)
        round_row_pairs(gradients + row * stride_, row + 1 < rows ? gradients + (row + 1) * stride_ : nullptr,
                        stride_, gradients + row / 2 * stride_);
      engine_.pack_columns(gradients, stride_, stacked, (rows + 1) / 2, z);
    } else {
      engine_.pack_columns(gradients, stride_, stacked, rows, z);
    }
  });
  for (std::int64_t k = 0; k < stacked; ++k) {
    double sum = 0;
    for (std::int64_t chunk = 0; chunk < chunks; ++chunk) sum += bias_sums[chunk * stride_ + k];
    grad_bias[k] = static_cast<float>(sum);
  }
}

void Moe::backward(const MoeInputs& inputs, std::span<const float> weights, std::span<const float> grad_x,
                   std::span<float> grad_weights, std::span<float> grad_bias, std::span<float> grad_s) {
  HYPERLLM_CHECK(kept_, ErrorCode::kInvalidArgument,
                 "mixture of experts: backward needs a forward pass of its own that kept the activations");
  kept_ = false;
  gradients_before_linear(weights, grad_x, grad_bias, grad_s);
  // Each block owns columns of the gradient and sums over all rows: no partial sums, and an order that does
  // not depend on threads.
  const float* packed_gradients = activations_.get(0);
  const std::int64_t stacked = shape_.stacked(), panels = blocks(shape_.input, panel_);
  const std::int64_t group = std::clamp<std::int64_t>(panels / 8, 1, kGroup / panel_);
  const std::int64_t chunk_depth = engine_.packed_depth(depth_);
  parallel_ranges(panels, group, [&](std::int64_t begin, std::int64_t end) {
    const std::int64_t first = begin * panel_, columns = std::min(shape_.input, end * panel_) - first;
    float* b = scratch(0, kGroup * chunk_depth);
    float* sums = scratch(1, kGroup * stacked);
    for (std::int64_t row = 0; row < shape_.rows; row += chunk_rows_) {
      const std::int64_t rows = std::min(chunk_rows_, shape_.rows - row);
      const std::int64_t k = engine_.pairs ? (rows + 1) / 2 : rows, depth = engine_.packed_depth(k);
      if (engine_.pairs)
        pack_row_pairs(inputs.row(row) + first / 2, inputs.depth(), rows, columns, depth, b);
      else
        engine_.pack_panels(inputs.row(row) + first, inputs.depth(), rows, columns, depth, b);
      for (std::int64_t panel = begin; panel < end; ++panel)
        engine_.multiply(packed_gradients + row * kept_stride_, b + (panel - begin) * depth * panel_, stacked,
                         panel_, k, sums + (panel - begin) * stacked * panel_, panel_, row > 0);
    }
    for (std::int64_t panel = begin; panel < end; ++panel) {
      const float* sum = sums + (panel - begin) * stacked * panel_;
      const std::int64_t width = std::min(panel_, shape_.input - panel * panel_);
      for (std::int64_t k = 0; k < stacked; ++k)
        std::copy_n(sum + k * panel_, width, &grad_weights[k * shape_.input + panel * panel_]);
    }
  });
}

}  // namespace hyperllm::kernels
#endif  // HWY_ONCE
