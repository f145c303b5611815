// The kernels at Amazon-Beauty's size: 10,553 users, 6,086 items, 6,418 tags, 49 dimensions. Each result is
// checked before it is timed.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cmath>
#include <span>
#include <vector>

#include "hyperllm/base/parallel.h"
#include "hyperllm/kernels/contrast.h"
#include "hyperllm/kernels/lorentz_rows.h"
#include "hyperllm/kernels/propagate.h"
#include "tests/support/points.h"
#include "tests/support/small_graph.h"

namespace hyperllm::kernels {
namespace {

constexpr std::int64_t kUsers = 10553, kItems = 6086, kTags = 6418, kDim = 49, kEdges = 69000;

using Floats = std::vector<float>;

void set_rates(benchmark::State& state, double flops) {
  state.counters["GFLOP/s"] = benchmark::Counter(flops * 1e-9, benchmark::Counter::kIsIterationInvariantRate);
  set_num_threads(0);
}

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

// Arguments: threads, rows, columns.
void contrast(benchmark::State& state) {
  set_num_threads(static_cast<int>(state.range(0)));
  const std::int64_t rows = state.range(1), columns = state.range(2);
  const double tau = 0.2;
  const Floats x = test::random_points(rows, kDim, 1, 3, 1), y = test::random_points(columns, kDim, 1, 3, 2);
  const auto targets = test::random_targets(rows, columns, 3);
  double expected = 0;
  for (std::int64_t i = 0; i < 3; ++i) expected += contrast_of(&x[i * kDim], y, targets[i], tau);
  const double first =
      softmax_contrast(std::span(x).first(3 * kDim), y, std::span(targets).first(3), kDim, 1, tau, {}, {});
  if (!close(first, expected)) state.SkipWithError("the loss is wrong");
  Floats gx(x.size()), gy(y.size());
  for (auto _ : state) benchmark::DoNotOptimize(softmax_contrast(x, y, targets, kDim, 1, tau, gx, gy));
  // Three products: distances, and the gradients of both sides.
  set_rates(state, 6.0 * static_cast<double>(rows * columns * (kDim + 1)));
}

// Arguments: threads, layers, 1 for the backward pass.
void propagate(benchmark::State& state) {
  set_num_threads(static_cast<int>(state.range(0)));
  const std::int64_t nodes = kUsers + kItems, layers = state.range(1);
  const test::SmallGraph graph(nodes, kEdges, 1);
  // The rows of A sum to 1: a constant stays, and each layer adds it once more.
  Floats x(static_cast<std::size_t>(nodes * kDim), 1.0f), out(x.size()), scratch(x.size());
  propagate_sum(graph.view(), x, kDim, layers, out, scratch);
  for (float value : out)
    if (!close(value, static_cast<double>(layers))) return state.SkipWithError("the sum is wrong");
  x = test::normal_floats(nodes * kDim, 2);
  for (auto _ : state) {
    if (state.range(2))
      propagate_sum_backward(graph.view(), x, kDim, layers, out, scratch);
    else
      propagate_sum(graph.view(), x, kDim, layers, out, scratch);
    benchmark::DoNotOptimize(out.data());
  }
  set_rates(state, 2.0 * static_cast<double>(layers * kDim) * static_cast<double>(graph.indices.size()));
}

// Argument: threads. All rows of users, items and tags.
void rows_there_and_back(benchmark::State& state) {
  set_num_threads(static_cast<int>(state.range(0)));
  const Floats v = test::normal_floats((kUsers + kItems + kTags) * kDim, 1, 0.3);
  Floats x(v.size()), back(v.size()), grad(v.size());
  expmap0(v, kDim, 1, kNoCap, x);
  logmap0(x, kDim, 1, back);
  for (std::size_t i = 0; i < v.size(); ++i)
    if (!close(back[i], v[i])) return state.SkipWithError("logmap0 does not undo expmap0");
  for (auto _ : state) {
    expmap0(v, kDim, 1, kNoCap, x);
    expmap0_backward(v, x, kDim, 1, kNoCap, grad);
    logmap0(x, kDim, 1, back);
    logmap0_backward(x, back, kDim, 1, grad);
    benchmark::DoNotOptimize(grad.data());
  }
  // A norm and a scaled row each way, two inner products and a combination each way back.
  set_rates(state, static_cast<double>(v.size()) * (2 * (2 + 1) + 2 * (4 + 3)));
}

// Argument: threads.
void rsgd_step(benchmark::State& state) {
  set_num_threads(static_cast<int>(state.range(0)));
  Floats x(static_cast<std::size_t>((kUsers + kItems) * kDim), 0.0f), buffer(x.size(), 0.0f);
  const Floats grad = test::normal_floats(static_cast<std::int64_t>(x.size()), 1, 0.1);
  RsgdStep step;
  lorentz_rsgd(x, grad, buffer, kDim, 1, step);
  double length = 0, norm = 0;
  for (std::int64_t k = 0; k < kDim; ++k) {
    length += static_cast<double>(x[k]) * x[k];
    norm += static_cast<double>(grad[k]) * grad[k];
  }
  if (!close(std::asinh(std::sqrt(length)) / (step.lr * std::sqrt(norm)), 1))
    return state.SkipWithError("the step has the wrong length");
  for (auto _ : state) {
    lorentz_rsgd(x, grad, buffer, kDim, 1, step);
    benchmark::DoNotOptimize(x.data());
  }
  set_rates(state, 19.0 * static_cast<double>(x.size()));
}

#define HYPERLLM_KERNEL_BENCHMARK(name) BENCHMARK(name)->Unit(benchmark::kMillisecond)->UseRealTime()

HYPERLLM_KERNEL_BENCHMARK(contrast)
    ->ArgNames({"threads", "rows", "columns"})
    ->Args({1, 1024, kItems})
    ->Args({2, 1024, kItems})
    ->Args({2, kUsers, kItems});
HYPERLLM_KERNEL_BENCHMARK(propagate)
    ->ArgNames({"threads", "layers", "backward"})
    ->Args({1, 3, 0})
    ->Args({1, 3, 1})
    ->Args({2, 3, 0})
    ->Args({2, 3, 1});
HYPERLLM_KERNEL_BENCHMARK(rows_there_and_back)->ArgName("threads")->Arg(1)->Arg(2);
HYPERLLM_KERNEL_BENCHMARK(rsgd_step)->ArgName("threads")->Arg(1)->Arg(2);

}  // namespace
}  // namespace hyperllm::kernels

BENCHMARK_MAIN();
