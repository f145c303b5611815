#include "hyperllm/kernels/ball_scores.h"

#include <algorithm>
#include <cstring>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "hyperllm/kernels/ball_scores.cpp"
// clang-format off: foreach_target.h must come first
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
// clang-format on

HWY_BEFORE_NAMESPACE();
namespace hyperllm::kernels::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;
using Floats = hn::CappedTag<float, kBallBlock>;

constexpr std::size_t kTogether = 8;  // users: sums in registers

// distances[u * kBallBlock + i] of one vector of items.
HWY_INLINE void distances_of(const float* const (&x)[kTogether], const float* HWY_RESTRICT y,
                             std::int64_t dim, float* HWY_RESTRICT distances) {
  const Floats d;
  hn::Vec<Floats> sums[kTogether];
  HWY_UNROLL(8)
  for (std::size_t u = 0; u < kTogether; ++u) sums[u] = hn::Zero(d);
  for (std::int64_t k = 0; k < dim; ++k, y += kBallBlock) {
    const auto item = hn::LoadU(d, y);
    HWY_UNROLL(8)
    for (std::size_t u = 0; u < kTogether; ++u) {
      const auto difference = hn::Sub(hn::Set(d, x[u][k]), item);
      sums[u] = hn::MulAdd(difference, difference, sums[u]);
    }
  }
  HWY_UNROLL(8)
  for (std::size_t u = 0; u < kTogether; ++u) hn::Store(sums[u], d, distances + u * kBallBlock);
}

HWY_ATTR void scores_of(const float* x, std::int64_t dim, std::span<const std::int32_t> users,
                        std::span<const float> user_factor, const float* packed,
                        std::span<const float> item_factor, float* out) {
  const Floats d;
  const std::int64_t items = std::ssize(item_factor), lanes = static_cast<std::int64_t>(hn::Lanes(d));
  HWY_ALIGN float distances[kTogether * kBallBlock], factors[kBallBlock];
  for (std::int64_t first = 0; first < items; first += kBallBlock) {
    const std::int64_t count = std::min(kBallBlock, items - first);
    std::fill(factors, factors + kBallBlock, 0.0f);
    std::copy_n(item_factor.data() + first, count, factors);
    for (std::size_t b = 0; b < users.size(); b += kTogether) {
      const float* rows[kTogether];
      for (std::size_t u = 0; u < kTogether; ++u)
        rows[u] = x + users[std::min(b + u, users.size() - 1)] * dim;
      for (std::int64_t v = 0; v < kBallBlock; v += lanes)
        distances_of(rows, packed + first * dim + v, dim, distances + v);
      for (std::size_t u = 0; u < std::min(kTogether, users.size() - b); ++u) {
        float* of_user = distances + u * kBallBlock;
        const auto factor = hn::Set(d, user_factor[users[b + u]]);
        for (std::int64_t v = 0; v < kBallBlock; v += lanes)
          hn::Store(hn::Mul(hn::Mul(factor, hn::Load(d, factors + v)), hn::Load(d, of_user + v)), d,
                    of_user + v);
        std::memcpy(out + static_cast<std::int64_t>(b + u) * items + first, of_user,
                    static_cast<std::size_t>(count) * sizeof(float));
      }
    }
  }
}

}  // namespace hyperllm::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace hyperllm::kernels {

HWY_EXPORT(scores_of);

std::vector<float> pack_ball_items(std::span<const float> items, std::int64_t dim) {
  const std::int64_t count = std::ssize(items) / dim;
  std::vector<float> packed((count + kBallBlock - 1) / kBallBlock * kBallBlock * dim, 0.0f);
  for (std::int64_t i = 0; i < count; ++i)
    for (std::int64_t k = 0; k < dim; ++k)
      packed[(i / kBallBlock * dim + k) * kBallBlock + i % kBallBlock] = items[i * dim + k];
  return packed;
}

void ball_scores(const float* x, std::int64_t dim, std::span<const std::int32_t> users,
                 std::span<const float> user_factor, const float* packed, std::span<const float> item_factor,
                 float* out) {
  HWY_DYNAMIC_DISPATCH(scores_of)(x, dim, users, user_factor, packed, item_factor, out);
}

}  // namespace hyperllm::kernels
#endif  // HWY_ONCE
