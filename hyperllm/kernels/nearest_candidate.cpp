#include "hyperllm/kernels/nearest_candidate.h"

#include <array>
#include <cmath>
#include <numeric>

#include "hyperllm/base/parallel.h"

namespace hyperllm::kernels {
namespace {

constexpr std::int64_t kPairsPerBlock = 256;
constexpr std::int64_t kTogether = 8;

// |y|^2 and |x - y|^2, in sums that do not wait for one another.
struct Sums {
  double square, apart;
};

template <typename T>
Sums sums_of(const T* x, const T* y, std::int64_t dim) {
  std::array<double, kTogether> square = {}, apart = {};
  const auto add = [&](std::int64_t lane, std::int64_t k) {
    const double own = y[k], less = static_cast<double>(x[k]) - own;
    square[lane] += own * own;
    apart[lane] += less * less;
  };
  std::int64_t k = 0;
  for (; k + kTogether <= dim; k += kTogether)
    for (std::int64_t lane = 0; lane < kTogether; ++lane) add(lane, k + lane);
  for (; k < dim; ++k) add(0, k);
  return {std::accumulate(square.begin(), square.end(), 0.0),
          std::accumulate(apart.begin(), apart.end(), 0.0)};
}

}  // namespace

template <typename T>
void nearest_candidates(std::span<const T> h, std::int64_t dim, double curvature,
                        std::span<const std::int32_t> positive, std::span<const std::int32_t> candidates,
                        std::int64_t per_pair, std::span<std::int32_t> nearest) {
  const auto point = [&](std::int32_t id) { return h.data() + id * dim; };
  const auto time = [&](double square) { return std::sqrt(1 / curvature + square); };
  parallel_ranges(std::ssize(positive), kPairsPerBlock, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const auto own = candidates.subspan(i * per_pair, per_pair);
      nearest[i] = own[0];
      if (per_pair == 1) continue;
      const T* x = point(positive[i]);
      const double x_time = time(sums_of(x, x, dim).square);
      const auto distance = [&](std::int32_t id) {
        const Sums sums = sums_of(x, point(id), dim);
        const double between = x_time - time(sums.square);
        return sums.apart + between * between;
      };
      double least = distance(own[0]);
      for (const std::int32_t id : own.subspan(1))
        if (const double at = distance(id); at < least) {
          least = at;
          nearest[i] = id;
        }
    }
  });
}

template void nearest_candidates(std::span<const float>, std::int64_t, double, std::span<const std::int32_t>,
                                 std::span<const std::int32_t>, std::int64_t, std::span<std::int32_t>);
template void nearest_candidates(std::span<const double>, std::int64_t, double, std::span<const std::int32_t>,
                                 std::span<const std::int32_t>, std::int64_t, std::span<std::int32_t>);

}  // namespace hyperllm::kernels
