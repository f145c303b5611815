// The contrast at Amazon-Beauty's size: 6,086 items, batches of 4,096, 49 dimensions. Each result is checked
// before it is timed.
#include <benchmark/benchmark.h>
#include <hwy/targets.h>

#include <algorithm>
#include <cmath>
#include <span>
#include <vector>

#include "benchmarks/support/rates.h"
#include "hyperllm/base/parallel.h"
#include "hyperllm/kernels/contrast.h"
#include "hyperllm/kernels/panels_amx.h"
#include "tests/support/points.h"

namespace hyperllm::kernels {
namespace {

constexpr std::int64_t kBatch = 4096, kItems = 6086, kDim = 49;

using Floats = std::vector<float>;

bool close(double a, double b) { return std::abs(a - b) <= 1e-5 * std::max(1.0, std::abs(b)); }

double acosh_product(const float* x, const float* y) {
  double xx = 1, yy = 1, xy = 0;
  for (std::int64_t k = 0; k < kDim; ++k) {
    xx += static_cast<double>(x[k]) * x[k];
    yy += static_cast<double>(y[k]) * y[k];
    xy += static_cast<double>(x[k]) * y[k];
  }
  return std::acosh(std::max(1.0, std::sqrt(xx * yy) - xy));
}

double contrast_of(const float* row, const Floats& y, std::int64_t target, double tau) {
  double sum = 0, positive = 0;
  for (std::int64_t j = 0; j < static_cast<std::int64_t>(y.size()) / kDim; ++j) {
    const double d = acosh_product(row, &y[j * kDim]);
    if (j == target) positive = d * d / tau;
    sum += std::exp(-d * d / tau);
  }
  return positive + std::log(sum);
}

enum Without { kNothing, kAmx, kAvx512 };

// Takes instruction sets away; false where there is nothing to take.
bool take_away(Without without) {
  hwy::SetSupportedTargetsForTest(0);
  const std::int64_t all = hwy::SupportedTargets();
  constexpr std::int64_t kAvx512Targets = HWY_AVX3 | HWY_AVX3_DL;
  if (without == kAmx && !has_amx_parts()) return false;
  if (without == kAvx512 && !(all & kAvx512Targets)) return false;
  if (without != kNothing)
    hwy::SetSupportedTargetsForTest(all & ~(without == kAmx ? std::int64_t{HWY_AVX3_DL} : kAvx512Targets));
  return true;
}

// Arguments: threads, rows, columns, radius of the points in tenths: up to about 16 polynomials, beyond
// closed forms; Without: the share is then one of the peak that is left.
void contrast(benchmark::State& state) {
  if (!take_away(static_cast<Without>(state.range(4)))) return state.SkipWithError("not on this CPU");
  set_num_threads(static_cast<int>(state.range(0)));
  const std::int64_t rows = state.range(1), columns = state.range(2);
  const double tau = 0.5, radius = static_cast<double>(state.range(3)) / 10;
  const Floats x = test::random_points(rows, kDim, 1, radius, 1),
               y = test::random_points(columns, kDim, 1, radius, 2);
  const auto targets = test::random_targets(rows, columns, 3);
  double expected = 0;
  for (std::int64_t i = 0; i < 3; ++i) expected += contrast_of(&x[i * kDim], y, targets[i], tau);
  const double first =
      softmax_contrast(std::span(x).first(3 * kDim), y, std::span(targets).first(3), kDim, 1, tau, {}, {});
  if (!close(first, expected)) state.SkipWithError("the loss is wrong");
  Floats gx(x.size()), gy(y.size());
  for (auto _ : state) benchmark::DoNotOptimize(softmax_contrast(x, y, targets, kDim, 1, tau, gx, gy));
  // Three products: distances, and the gradients of both sides.
  bench::set_rates(state, static_cast<int>(state.range(0)),
                   6.0 * static_cast<double>(rows * columns * (kDim + 1)));
  take_away(kNothing);
}

#define HYPERLLM_KERNEL_BENCHMARK(name) BENCHMARK(name)->Unit(benchmark::kMillisecond)->UseRealTime()

HYPERLLM_KERNEL_BENCHMARK(contrast)
    ->ArgNames({"threads", "rows", "columns", "radius", "without"})
    ->Args({1, kItems, kItems, 15, kNothing})
    ->Args({2, kItems, kItems, 15, kNothing})
    ->Args({2, kItems, kItems, 15, kAmx})
    ->Args({2, kItems, kItems, 15, kAvx512})
    ->Args({2, kItems, kItems, 30, kNothing})
    ->Args({2, kBatch, kItems, 15, kNothing});

}  // namespace
}  // namespace hyperllm::kernels

BENCHMARK_MAIN();
