#include "hyperllm/kernels/elementwise.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>

#include "hyperllm/base/parallel.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "hyperllm/kernels/elementwise.cpp"
// clang-format off: foreach_target.h must come first
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
// clang-format on

#ifndef HYPERLLM_KERNELS_ELEMENTWISE_TASKS
#define HYPERLLM_KERNELS_ELEMENTWISE_TASKS
namespace hyperllm::kernels {

struct SgdTask {
  float *x, *buffer;
  const float* grad;
  float lr, momentum, decay;
};

struct AdamTask {
  float *x, *first, *second;
  const float* grad;
  float beta1, beta2, rate, root, epsilon, decay;
};

}  // namespace hyperllm::kernels
#endif

HWY_BEFORE_NAMESPACE();
namespace hyperllm::kernels::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

// body(tag, i) for vectors of [begin, end), then for the single elements that are left.
template <class Body>
HWY_INLINE void for_elements(std::int64_t begin, std::int64_t end, const Body& body) {
  const hn::ScalableTag<float> d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  for (; begin + lanes <= end; begin += lanes) body(d, begin);
  for (; begin < end; ++begin) body(hn::CappedTag<float, 1>(), begin);
}

HWY_ATTR void sgd_range(const SgdTask& task, std::int64_t begin, std::int64_t end) {
  for_elements(begin, end, [&](auto d, std::int64_t i) HWY_ATTR {
    const auto x = hn::LoadU(d, task.x + i);
    const auto grad = hn::Add(hn::LoadU(d, task.grad + i), hn::Mul(hn::Set(d, task.decay), x));
    const auto buffer = hn::Add(hn::Mul(hn::Set(d, task.momentum), hn::LoadU(d, task.buffer + i)), grad);
    hn::StoreU(buffer, d, task.buffer + i);
    hn::StoreU(hn::Sub(x, hn::Mul(hn::Set(d, task.lr), buffer)), d, task.x + i);
  });
}

HWY_ATTR void adam_range(const AdamTask& task, std::int64_t begin, std::int64_t end) {
  for_elements(begin, end, [&](auto d, std::int64_t i) HWY_ATTR {
    const auto x = hn::LoadU(d, task.x + i);
    const auto grad = hn::Add(hn::LoadU(d, task.grad + i), hn::Mul(hn::Set(d, task.decay), x));
    const auto first = hn::Add(hn::Mul(hn::Set(d, task.beta1), hn::LoadU(d, task.first + i)),
                               hn::Mul(hn::Set(d, 1 - task.beta1), grad));
    const auto second = hn::Add(hn::Mul(hn::Set(d, task.beta2), hn::LoadU(d, task.second + i)),
                                hn::Mul(hn::Mul(hn::Set(d, 1 - task.beta2), grad), grad));
    hn::StoreU(first, d, task.first + i);
    hn::StoreU(second, d, task.second + i);
    const auto size = hn::Add(hn::Mul(hn::Sqrt(second), hn::Set(d, task.root)), hn::Set(d, task.epsilon));
    hn::StoreU(hn::Sub(x, hn::Div(hn::Mul(hn::Set(d, task.rate), first), size)), d, task.x + i);
  });
}

HWY_ATTR void add_range(const float* from, float* to, std::int64_t count) {
  for_elements(0, count, [&](auto d, std::int64_t i) HWY_ATTR {
    hn::StoreU(hn::Add(hn::LoadU(d, to + i), hn::LoadU(d, from + i)), d, to + i);
  });
}

// x - x is 0 for finite x and NaN otherwise.
HWY_ATTR bool all_finite(const float* values, std::int64_t count) {
  const hn::ScalableTag<float> d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  auto sum = hn::Zero(d);
  std::int64_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    const auto value = hn::LoadU(d, values + i);
    sum = hn::Add(sum, hn::Sub(value, value));
  }
  bool finite = hn::GetLane(hn::SumOfLanes(d, sum)) == 0;
  for (; i < count; ++i) finite = finite && std::isfinite(values[i]);
  return finite;
}

HWY_ATTR std::int64_t above(const float* values, std::int64_t count, float bar) {
  constexpr std::int64_t kTogether = 8;
  const hn::ScalableTag<float> d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  const auto bars = hn::Set(d, bar);
  std::int64_t i = 0;
  for (; i + kTogether * lanes <= count; i += kTogether * lanes) {
    auto below = hn::Le(hn::LoadU(d, values + i), bars);
    HWY_UNROLL(8)
    for (std::int64_t v = 1; v < kTogether; ++v)
      below = hn::And(below, hn::Le(hn::LoadU(d, values + i + v * lanes), bars));
    if (!hn::AllTrue(d, below)) break;
  }
  for (; i + lanes <= count; i += lanes)
    if (const auto hits = hn::Not(hn::Le(hn::LoadU(d, values + i), bars)); !hn::AllFalse(d, hits))
      return i + static_cast<std::int64_t>(hn::FindFirstTrue(d, hits));
  while (i < count && values[i] <= bar) ++i;
  return i < count ? i : -1;
}

}  // namespace hyperllm::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace hyperllm::kernels {

HWY_EXPORT(sgd_range);
HWY_EXPORT(adam_range);
HWY_EXPORT(add_range);
HWY_EXPORT(all_finite);
HWY_EXPORT(above);

namespace {
constexpr std::int64_t kGrain = 1 << 14;
}

void sgd(std::span<float> x, std::span<const float> grad, std::span<float> momentum_buffer, double lr,
         double momentum, double weight_decay) {
  const SgdTask task{x.data(),
                     momentum_buffer.data(),
                     grad.data(),
                     static_cast<float>(lr),
                     static_cast<float>(momentum),
                     static_cast<float>(weight_decay)};
  parallel_ranges(static_cast<std::int64_t>(x.size()), kGrain, [&](std::int64_t begin, std::int64_t end) {
    HWY_DYNAMIC_DISPATCH(sgd_range)(task, begin, end);
  });
}

void adam(std::span<float> x, std::span<const float> grad, std::span<float> first, std::span<float> second,
          const AdamStep& step) {
  const double correction1 = 1 - std::pow(step.beta1, step.t), correction2 = 1 - std::pow(step.beta2, step.t);
  const AdamTask task{x.data(),
                      first.data(),
                      second.data(),
                      grad.data(),
                      static_cast<float>(step.beta1),
                      static_cast<float>(step.beta2),
                      static_cast<float>(step.lr / correction1),
                      static_cast<float>(1 / std::sqrt(correction2)),
                      static_cast<float>(step.epsilon),
                      static_cast<float>(step.weight_decay)};
  parallel_ranges(static_cast<std::int64_t>(x.size()), kGrain, [&](std::int64_t begin, std::int64_t end) {
    HWY_DYNAMIC_DISPATCH(adam_range)(task, begin, end);
  });
}

void sum_pieces(std::span<const Piece> pieces, std::span<float> out) {
  parallel_ranges(static_cast<std::int64_t>(out.size()), kGrain, [&](std::int64_t begin, std::int64_t end) {
    bool filled = false;
    for (const Piece& piece : pieces) {
      const std::int64_t from = std::max(begin, piece.first),
                         to = std::min(end, piece.first + static_cast<std::int64_t>(piece.values.size()));
      if (from >= to) continue;
      const float* values = piece.values.data() + (from - piece.first);
      if (!filled && from == begin && to == end) {
        std::memcpy(&out[from], values, static_cast<std::size_t>(to - from) * sizeof(float));
      } else {
        if (!filled) std::fill(out.begin() + begin, out.begin() + end, 0.0f);
        HWY_DYNAMIC_DISPATCH(add_range)(values, &out[from], to - from);
      }
      filled = true;
    }
    if (!filled) std::fill(out.begin() + begin, out.begin() + end, 0.0f);
  });
}

std::int64_t first_non_finite(std::span<const float> values) {
  const auto count = static_cast<std::int64_t>(values.size());
  std::atomic<std::int64_t> first{count};
  parallel_ranges(count, kGrain, [&](std::int64_t begin, std::int64_t end) {
    if (begin > first || HWY_DYNAMIC_DISPATCH(all_finite)(&values[begin], end - begin)) return;
    while (std::isfinite(values[begin])) ++begin;
    for (std::int64_t known = first; begin < known && !first.compare_exchange_weak(known, begin);) {
    }
  });
  return first == count ? -1 : first.load();
}

std::int64_t first_above(std::span<const float> values, float bar) {
  return HWY_DYNAMIC_DISPATCH(above)(values.data(), static_cast<std::int64_t>(values.size()), bar);
}

}  // namespace hyperllm::kernels
#endif  // HWY_ONCE
