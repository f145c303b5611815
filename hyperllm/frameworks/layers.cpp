#include "hyperllm/frameworks/layers.h"

#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <cmath>

#include "hyperllm/base/parallel.h"
#include "hyperllm/kernels/blas.h"
#include "hyperllm/manifold/fused.h"
#include "hyperllm/manifold/row_ranges.h"
#include "hyperllm/objectives/objective.h"

namespace hyperllm::frameworks {
namespace {

using kernels::Transpose;
using manifold::const_floats;
using manifold::floats;
using torch::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

constexpr std::int64_t kRowBlock = 256;    // of x
constexpr std::int64_t kWeightBlock = 64;  // rows of the weight gradient
constexpr std::int64_t kSoftmaxRows = 32;  // a block of them stays in cache
constexpr double kLeak = 0.01;             // LeakyReLU below 0
constexpr double kNormGuard = 1e-8;

struct Sizes {
  Sizes(const Tensor& x, const Tensor& weight, std::int64_t of_groups)
      : groups(of_groups), rows(x.size(0)), in(weight.size(1)), out(weight.size(0) / of_groups) {}
  std::int64_t groups, rows, in, out;
};

void forward_rows(const Sizes& s, std::int64_t first, std::int64_t count, const float* x, const float* weight,
                  const float* bias, float slope, float* y) {
  const std::int64_t width = s.groups * s.out;
  for (std::int64_t row = first; row < first + count; ++row) std::copy_n(bias, width, y + row * width);
  for (std::int64_t g = 0; g < s.groups; ++g)
    kernels::gemm(Transpose::kNo, Transpose::kYes, count, s.out, s.in, 1,
                  x + first * s.groups * s.in + g * s.in, s.groups * s.in, weight + g * s.out * s.in, s.in, 1,
                  y + first * width + g * s.out, width);
  if (slope == 1) return;
  for (float* value = y + first * width; value != y + (first + count) * width; ++value)
    *value *= *value > 0 ? 1.0F : slope;
}

// Rows [first, first + count) of one group's weight gradient, and of its bias.
void weight_gradient(const Sizes& s, std::int64_t g, std::int64_t first, std::int64_t count, const float* x,
                     const float* grad, float* grad_weight, float* grad_bias) {
  const std::int64_t width = s.groups * s.out, at = g * s.out + first;
  kernels::gemm(Transpose::kYes, Transpose::kNo, count, s.in, s.rows, 1, grad + at, width, x + g * s.in,
                s.groups * s.in, 0, grad_weight + at * s.in, s.in);
  double sums[kWeightBlock] = {};
  for (std::int64_t row = 0; row < s.rows; ++row)
    for (std::int64_t i = 0; i < count; ++i) sums[i] += grad[row * width + at + i];
  std::copy_n(sums, count, grad_bias + at);
}

struct Layer : public torch::autograd::Function<Layer> {
  static Tensor forward(AutogradContext* context, const Tensor& x, const Tensor& weight, const Tensor& bias,
                        double slope, std::int64_t groups) {
    const Sizes s(x, weight, groups);
    Tensor y = torch::empty({s.rows, groups * s.out});
    float* to = floats(y).data();
    const float *from = const_floats(x).data(), *w = const_floats(weight).data(),
                *b = const_floats(bias).data();
    parallel_ranges(s.rows, kRowBlock, [&](std::int64_t begin, std::int64_t end) {
      forward_rows(s, begin, end - begin, from, w, b, static_cast<float>(slope), to);
    });
    context->save_for_backward({x, weight, y});
    context->saved_data["slope"] = slope;
    context->saved_data["groups"] = groups;
    context->saved_data["with_input"] = x.requires_grad();
    return y;
  }

  static variable_list backward(AutogradContext* context, variable_list grads) {
    const variable_list saved = context->get_saved_variables();
    const Tensor &x = saved[0], &weight = saved[1];
    const Sizes s(x, weight, context->saved_data["groups"].toInt());
    const Tensor grad =
        before_activation(grads[0].contiguous(), saved[2], context->saved_data["slope"].toDouble());
    const float* g = const_floats(grad).data();
    Tensor grad_weight = torch::empty_like(weight, torch::requires_grad(false)),
           grad_bias = torch::empty({s.groups * s.out}), grad_x;
    float *to_weight = floats(grad_weight).data(), *to_bias = floats(grad_bias).data();
    const float* from = const_floats(x).data();
    const std::int64_t blocks = (s.out + kWeightBlock - 1) / kWeightBlock;
    parallel_blocks(s.groups * blocks, [&](std::int64_t block) {
      const std::int64_t first = block % blocks * kWeightBlock;
      weight_gradient(s, block / blocks, first, std::min(kWeightBlock, s.out - first), from, g, to_weight,
                      to_bias);
    });
    if (context->saved_data["with_input"].toBool()) {
      grad_x = torch::empty({s.rows, s.groups * s.in});
      float* to = floats(grad_x).data();
      const float* w = const_floats(weight).data();
      parallel_ranges(s.rows, kRowBlock, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t group = 0; group < s.groups; ++group)
          kernels::gemm(Transpose::kNo, Transpose::kNo, end - begin, s.in, s.out, 1,
                        g + begin * s.groups * s.out + group * s.out, s.groups * s.out,
                        w + group * s.out * s.in, s.in, 0, to + begin * s.groups * s.in + group * s.in,
                        s.groups * s.in);
      });
    }
    return {grad_x, grad_weight, grad_bias, Tensor(), Tensor()};
  }

 private:
  static Tensor before_activation(const Tensor& grad, const Tensor& y, double slope) {
    if (slope == 1) return grad;
    Tensor before = torch::empty(grad.sizes());
    float* to = floats(before).data();
    const float *from = const_floats(grad).data(), *value = const_floats(y).data();
    const auto below = static_cast<float>(slope);
    parallel_ranges(grad.numel(), 1 << 16, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) to[i] = from[i] * (value[i] > 0 ? 1.0F : below);
    });
    return before;
  }
};

Tensor reference_layer(const Tensor& x, const Tensor& weight, const Tensor& bias, double slope,
                       std::int64_t groups) {
  const Tensor by_group = x.view({x.size(0), groups, -1}).transpose(0, 1);
  const Tensor of_group = weight.view({groups, -1, weight.size(1)}).transpose(1, 2);
  const Tensor y = torch::bmm(by_group, of_group).transpose(0, 1).reshape({x.size(0), -1}) + bias;
  return slope == 1 ? y : torch::where(y > 0, y, y * slope);
}

// ln sum_j exp(<x_i, y_j> + b_j) for every row i. The softmax is kept for the gradients, in place of logits.
struct LogSumOfProducts : public torch::autograd::Function<LogSumOfProducts> {
  static Tensor forward(AutogradContext* context, const Tensor& x, const Tensor& y, const Tensor& b) {
    const std::int64_t rows = x.size(0), columns = y.size(0), dim = x.size(1);
    Tensor weights = torch::empty({rows, columns}), sums = torch::empty({rows});
    const float *from = const_floats(x).data(), *to = const_floats(y).data();
    float* logits = floats(weights).data();
    parallel_ranges(rows, kSoftmaxRows, [&](std::int64_t begin, std::int64_t end) {
      const torch::NoGradGuard no_grad;  // a thread has a mode of its own
      const std::int64_t count = end - begin;
      kernels::gemm(Transpose::kNo, Transpose::kYes, count, columns, dim, 1, from + begin * dim, dim, to, dim,
                    0, logits + begin * columns, columns);
      Tensor block = weights.narrow(0, begin, count).add_(b);
      const Tensor most = block.amax(1, true), sum = block.sub_(most).exp_().sum(1, true);
      block.div_(sum);
      sums.narrow(0, begin, count).copy_((most + sum.log()).squeeze(1));
    });
    context->save_for_backward({x, y, weights});
    return sums;
  }

  static variable_list backward(AutogradContext* context, variable_list grads) {
    const variable_list saved = context->get_saved_variables();
    const Tensor &x = saved[0], &y = saved[1], grad = grads[0].contiguous().unsqueeze(1);
    const std::int64_t rows = x.size(0), columns = y.size(0), dim = x.size(1);
    Tensor grad_x = torch::empty({rows, dim}), grad_y = torch::empty({columns, dim});
    const Tensor scaled = x * grad;
    const float *weights = const_floats(saved[2]).data(), *of_x = const_floats(scaled).data(),
                *of_y = const_floats(y).data();
    float *to_x = floats(grad_x).data(), *to_y = floats(grad_y).data();
    parallel_ranges(rows, kRowBlock, [&](std::int64_t begin, std::int64_t end) {
      kernels::gemm(Transpose::kNo, Transpose::kNo, end - begin, dim, columns, 1, weights + begin * columns,
                    columns, of_y, dim, 0, to_x + begin * dim, dim);
    });
    parallel_ranges(columns, kRowBlock, [&](std::int64_t begin, std::int64_t end) {
      kernels::gemm(Transpose::kYes, Transpose::kNo, end - begin, dim, rows, 1, weights + begin, columns,
                    of_x, dim, 0, to_y + begin * dim, dim);
    });
    return {grad_x.mul_(grad), grad_y, Tensor()};
  }
};

Tensor log_sum_of_products(const Tensor& x, const Tensor& y, const Tensor& b) {
  if (manifold::use_kernel(x)) return LogSumOfProducts::apply(x.contiguous(), y.contiguous(), b);
  return torch::logsumexp(torch::mm(x, y.t()) + b, 1);
}

Tensor unit_rows(const Tensor& x) { return x * (x.square().sum(1, true) + kNormGuard).rsqrt(); }

Tensor vector_of(const std::vector<float>& values, const Tensor& like) {
  return torch::tensor(values).to(like.scalar_type());
}

}  // namespace

Tensor layer(const Tensor& x, const Tensor& weight, const Tensor& bias, double slope, std::int64_t groups) {
  if (manifold::use_kernel(weight))
    return Layer::apply(x.contiguous(), weight.contiguous(), bias.contiguous(), slope, groups);
  return reference_layer(x, weight, bias, slope, groups);
}

Weights make_weights(std::int64_t stacked, std::int64_t out, std::int64_t in, Xavier xavier, Random random) {
  const double variance = 2.0 / static_cast<double>(in + out);
  const double deviation = std::sqrt(variance), most = std::sqrt(3 * variance);
  Weights made{torch::empty({stacked * out, in}), torch::zeros({stacked * out})};
  for (float& value : floats(made.weight))
    value = static_cast<float>(xavier == Xavier::kNormal ? deviation * random.normal()
                                                         : random.uniform(-most, most));
  made.weight.requires_grad_(true);
  made.bias.requires_grad_(true);
  return made;
}

Perceptron::Perceptron(std::int64_t in, std::int64_t out, Random random)
    : hidden(make_weights(1, (in + out) / 2, in, Xavier::kUniform, Random(random(), "hidden"))),
      last(make_weights(1, out, (in + out) / 2, Xavier::kUniform, Random(random(), "last"))) {}

Tensor Perceptron::operator()(const Tensor& x) const {
  return layer(layer(x, hidden.weight, hidden.bias, kLeak), last.weight, last.bias, 1);
}

std::vector<optim::Parameter> Perceptron::parameters(const std::string& name,
                                                     const optim::OwnStep& step) const {
  std::vector<optim::Parameter> all = hidden.parameters(name + ".hidden", step);
  for (optim::Parameter& parameter : last.parameters(name + ".last", step))
    all.push_back(std::move(parameter));
  return all;
}

Tensor info_nce(const Tensor& z, const Tensor& p, const std::vector<std::int32_t>& target, double tau,
                const std::vector<float>& row_counts, const std::vector<float>& column_counts) {
  const Tensor rows = unit_rows(z) / tau, columns = unit_rows(p);
  const Tensor again =
      column_counts.empty() ? torch::zeros({p.size(0)}, p.scalar_type()) : vector_of(column_counts, p).log();
  Tensor each =
      log_sum_of_products(rows, columns, again) - (rows * manifold::gathered_rows(columns, target)).sum(1);
  if (!row_counts.empty()) each = each * vector_of(row_counts, z);
  return objectives::steady_sum(each);
}

}  // namespace hyperllm::frameworks
