// Ward's clustering and its cophenetic correlation at the sizes of Amazon-Beauty and Amazon-Sports: 6,086 and
// 12,301 items of 49 dimensions. Each clustering is checked before it is timed.
#include <benchmark/benchmark.h>

#include <cmath>

#include "hyperllm/base/parallel.h"
#include "hyperllm/base/random.h"
#include "hyperllm/clustering/agreement.h"
#include "hyperllm/clustering/ward.h"

namespace hyperllm::clustering {
namespace {

constexpr std::int64_t kDim = 49;

// Around 200 places.
std::vector<double> random_points(std::int64_t points) {
  Random random(1, "points");
  std::vector<double> places(200 * kDim), values;
  for (double& value : places) value = random.normal();
  for (std::int64_t i = 0; i < points; ++i) {
    const std::uint64_t place = random.below(200) * kDim;
    for (std::int64_t k = 0; k < kDim; ++k)
      values.push_back(places[place + static_cast<std::uint64_t>(k)] + 0.5 * random.normal());
  }
  return values;
}

// Half of the squared heights are what the merges add to the sum of squared distances from the means.
bool adds_up(const std::vector<double>& points, const std::vector<Merge>& merges) {
  const auto n = static_cast<double>(merges.size() + 1);
  double squares = 0, added = 0;
  for (std::int64_t k = 0; k < kDim; ++k) {
    double sum = 0;
    for (std::size_t at = static_cast<std::size_t>(k); at < points.size(); at += kDim) {
      sum += points[at];
      squares += points[at] * points[at];
    }
    squares -= sum * sum / n;
  }
  for (const Merge& merge : merges) added += merge.height * merge.height / 2;
  return std::abs(added - squares) < 1e-9 * squares;
}

void ward_of(benchmark::State& state) {
  set_num_threads(static_cast<int>(state.range(1)));
  const std::vector<double> points = random_points(state.range(0));
  if (!adds_up(points, ward(points, kDim, {}))) state.SkipWithError("the heights do not add up");
  for (auto _ : state) benchmark::DoNotOptimize(ward(points, kDim, {}).data());
}

void cophenetic(benchmark::State& state) {
  set_num_threads(static_cast<int>(state.range(1)));
  const std::vector<double> points = random_points(state.range(0));
  const std::vector<Merge> merges = ward(points, kDim, {});
  for (auto _ : state) benchmark::DoNotOptimize(cophenetic_correlation(points, kDim, merges, {}));
}

BENCHMARK(ward_of)
    ->ArgNames({"points", "threads"})
    ->ArgsProduct({{6086, 12301}, {1, 2}})
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime()
    ->MeasureProcessCPUTime();
BENCHMARK(cophenetic)
    ->ArgNames({"points", "threads"})
    ->ArgsProduct({{6086, 12301}, {1, 2}})
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime()
    ->MeasureProcessCPUTime();

}  // namespace
}  // namespace hyperllm::clustering

BENCHMARK_MAIN();
