// EASE at the sizes of MovieLens (small: few users, by their Gram matrix) and Amazon-Beauty (by the items').
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cmath>

#include "hyperllm/base/parallel.h"
#include "hyperllm/base/random.h"
#include "hyperllm/baselines/ease.h"

namespace hyperllm::baselines {
namespace {

// Interactions with a long tail over the items.
data::Csr random_train(std::int64_t users, std::int64_t items, std::int64_t a_user) {
  Random random(1, "train");
  data::Csr train{users, items, {0}, {}};
  for (std::int64_t u = 0; u < users; ++u) {
    std::vector<std::int32_t> row;
    for (std::int64_t i = 0; i < a_user; ++i)
      row.push_back(static_cast<std::int32_t>(std::pow(random.uniform(), 3) * static_cast<double>(items)));
    std::sort(row.begin(), row.end());
    row.erase(std::unique(row.begin(), row.end()), row.end());
    train.indices.insert(train.indices.end(), row.begin(), row.end());
    train.indptr.push_back(train.nnz());
  }
  return train;
}

void closed_form(benchmark::State& state) {
  set_num_threads(static_cast<int>(state.range(3)));
  const data::Csr train = random_train(state.range(0), state.range(1), state.range(2));
  for (auto _ : state) benchmark::DoNotOptimize(ease(train, {}).values.data());
}

BENCHMARK(closed_form)
    ->ArgNames({"users", "items", "a_user", "threads"})
    ->Args({671, 9066, 149, 1})
    ->Args({671, 9066, 149, 2})
    ->Args({10553, 6086, 7, 1})
    ->Args({10553, 6086, 7, 2})
    ->Unit(benchmark::kMillisecond)
    ->Iterations(1)
    ->UseRealTime()
    ->MeasureProcessCPUTime();

}  // namespace
}  // namespace hyperllm::baselines

BENCHMARK_MAIN();
