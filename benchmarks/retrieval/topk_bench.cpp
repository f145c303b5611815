// Ranking at Amazon-Beauty's size: 10,553 users x 6,086 items x 49, k = 20, training items left out.
#include <benchmark/benchmark.h>

#include <numeric>

#include "hyperllm/base/parallel.h"
#include "hyperllm/base/random.h"
#include "hyperllm/retrieval/scorer.h"

namespace hyperllm::retrieval {
namespace {

constexpr std::int64_t kUsers = 10553, kItems = 6086, kDim = 49, kTop = 20, kHistory = 7;

std::vector<float> random_points(std::int64_t rows, std::string_view stream) {
  Random random(1, stream);
  std::vector<float> values(static_cast<std::size_t>(rows * kDim));
  for (float& value : values) value = static_cast<float>(0.1 * random.normal());
  return values;
}

data::Csr random_history() {
  Random random(1, "history");
  data::Csr history{kUsers, kItems, {0}, {}};
  for (std::int64_t u = 0; u < kUsers; ++u) {
    for (std::int64_t i = 0; i < kHistory; ++i)
      history.indices.push_back(
          static_cast<std::int32_t>(i * (kItems / kHistory) + random.below(kItems / kHistory)));
    history.indptr.push_back(history.nnz());
  }
  return history;
}

void masked_top_k(benchmark::State& state, Geometry geometry) {
  set_num_threads(static_cast<int>(state.range(0)));
  const auto users = random_points(kUsers, "users"), items = random_points(kItems, "items");
  const data::Csr history = random_history();
  const std::vector<const data::Csr*> masks = {&history};
  std::vector<std::int32_t> all(kUsers);
  std::iota(all.begin(), all.end(), 0);
  const auto scorer = make_embedding_scorer(geometry, 1, users, items, kDim);
  for (auto _ : state) benchmark::DoNotOptimize(top_k(*scorer, all, masks, kTop).items.data());
}

BENCHMARK_CAPTURE(masked_top_k, lorentz, Geometry::kLorentz)
    ->Arg(1)
    ->Arg(2)
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();
BENCHMARK_CAPTURE(masked_top_k, poincare, Geometry::kPoincare)
    ->Arg(1)
    ->Arg(2)
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();

}  // namespace
}  // namespace hyperllm::retrieval

BENCHMARK_MAIN();
