#include "hyperllm/kernels/elementwise.h"

#include <cmath>

#include "hyperllm/base/parallel.h"

namespace hyperllm::kernels {
namespace {
constexpr std::int64_t kGrain = 1 << 15;
}

void sgd(std::span<float> x, std::span<const float> grad, std::span<float> momentum_buffer, double lr,
         double momentum, double weight_decay) {
  const auto m = static_cast<float>(momentum), w = static_cast<float>(weight_decay),
             l = static_cast<float>(lr);
  parallel_ranges(static_cast<std::int64_t>(x.size()), kGrain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      momentum_buffer[i] = m * momentum_buffer[i] + (grad[i] + w * x[i]);
      x[i] -= l * momentum_buffer[i];
    }
  });
}

void adam(std::span<float> x, std::span<const float> grad, std::span<float> first, std::span<float> second,
          const AdamStep& step) {
  const auto b1 = static_cast<float>(step.beta1), b2 = static_cast<float>(step.beta2);
  const double correction1 = 1 - std::pow(step.beta1, step.t), correction2 = 1 - std::pow(step.beta2, step.t);
  const auto rate = static_cast<float>(step.lr / correction1);
  const auto root = static_cast<float>(1 / std::sqrt(correction2)),
             epsilon = static_cast<float>(step.epsilon);
  const auto w = static_cast<float>(step.weight_decay);
  parallel_ranges(static_cast<std::int64_t>(x.size()), kGrain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const float g = grad[i] + w * x[i];
      first[i] = b1 * first[i] + (1 - b1) * g;
      second[i] = b2 * second[i] + (1 - b2) * g * g;
      x[i] -= rate * first[i] / (std::sqrt(second[i]) * root + epsilon);
    }
  });
}

std::int64_t first_non_finite(std::span<const float> values) {
  for (std::size_t i = 0; i < values.size(); ++i)
    if (!std::isfinite(values[i])) return static_cast<std::int64_t>(i);
  return -1;
}

}  // namespace hyperllm::kernels
