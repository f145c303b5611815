// Ranking at Amazon-Beauty's size: 10,553 users x 6,086 items x 49 (Lorentz: 50 columns), k = 20, seven
// training items left out for everybody. Each result is checked before it is timed; shares are of the FMA
// peak that the same binary measures first, with as many threads.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "benchmarks/support/rates.h"
#include "hyperllm/base/parallel.h"
#include "hyperllm/base/random.h"
#include "hyperllm/metrics/evaluate_ranking.h"
#include "hyperllm/retrieval/scorer.h"

namespace hyperllm::retrieval {

namespace {

constexpr std::int64_t kUsers = 10553, kItems = 6086, kDim = 49, kTop = 20, kHistory = 7;
constexpr double kProducts = 2.0 * static_cast<double>(kUsers * kItems * (kDim + 1));

std::vector<float> random_points(std::int64_t rows, std::int64_t dim, std::string_view stream) {
  Random random(1, stream);
  std::vector<float> values(static_cast<std::size_t>(rows * dim));
  for (float& value : values) value = static_cast<float>(0.1 * random.normal());
  return values;
}

// `count` items a user, spread over the catalogue.
data::Csr random_items(std::int64_t users, std::int64_t items, std::int64_t count, std::string_view stream) {
  Random random(1, stream);
  data::Csr rows{users, items, {0}, {}};
  for (std::int64_t u = 0; u < users; ++u) {
    for (std::int64_t i = 0; i < count; ++i)
      rows.indices.push_back(static_cast<std::int32_t>(
          i * (items / count) +
          static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(items / count)))));
    rows.indptr.push_back(rows.nnz());
  }
  return rows;
}

std::vector<std::int32_t> all_users(std::int64_t count) {
  std::vector<std::int32_t> users(static_cast<std::size_t>(count));
  std::iota(users.begin(), users.end(), 0);
  return users;
}

// The path of scorers that are no inner products.
class HiddenProducts final : public Scorer {
 public:
  explicit HiddenProducts(const Scorer& scorer) : scorer_(scorer) {}
  std::int64_t num_users() const override { return scorer_.num_users(); }
  std::int64_t num_items() const override { return scorer_.num_items(); }
  void score(std::span<const std::int32_t> users, std::span<float> out) const override {
    scorer_.score(users, out);
  }

 private:
  const Scorer& scorer_;
};

struct Beauty {
  std::vector<float> users = random_points(kUsers, kDim, "users"),
                     items = random_points(kItems, kDim, "items");
  data::Csr history = random_items(kUsers, kItems, kHistory, "history");
  std::vector<const data::Csr*> masks = {&history};
  std::vector<std::int32_t> all = all_users(kUsers);

  std::unique_ptr<Scorer> scorer() const {
    return make_embedding_scorer({Geometry::kLorentz}, users, items, kDim);
  }
  // Every 100th user's list against the scores in double.
  bool right(const TopK& top) const {
    for (std::int64_t u = 0; u < kUsers; u += 100) {
      std::vector<double> scores;
      double uu = 1;
      for (std::int64_t d = 0; d < kDim; ++d) uu += std::pow(static_cast<double>(users[u * kDim + d]), 2);
      for (std::int32_t i = 0; i < kItems; ++i) {
        double ui = 0, ii = 1;
        for (std::int64_t d = 0; d < kDim; ++d) {
          const double value = items[i * kDim + d];
          ui += static_cast<double>(users[u * kDim + d]) * value;
          ii += value * value;
        }
        scores.push_back(history.contains(u, i) ? -1e9 : ui - std::sqrt(uu * ii));
      }
      auto sorted = scores;
      std::sort(sorted.rbegin(), sorted.rend());
      for (std::int64_t r = 0; r < kTop; ++r)
        if (std::abs(scores[top.items[u * kTop + r]] - sorted[r]) > 1e-5) return false;
    }
    return true;
  }
};

const Beauty& beauty() {
  static const Beauty data;
  return data;
}

void set_rates(benchmark::State& state, double flops) {
  bench::set_rates(state, static_cast<int>(state.range(0)), flops);
}

// A model seen for the first time: packing included.
void cold(benchmark::State& state) {
  set_num_threads(static_cast<int>(state.range(0)));
  const Beauty& data = beauty();
  if (!data.right(top_k(*data.scorer(), data.all, data.masks, kTop)))
    return state.SkipWithError("wrong ranking");
  for (auto _ : state)
    benchmark::DoNotOptimize(top_k(*data.scorer(), data.all, data.masks, kTop).items.data());
  set_rates(state, kProducts);
}

// Two models an epoch apart, in turn: each starts from the other's lists; packing included.
void warm(benchmark::State& state) {
  set_num_threads(static_cast<int>(state.range(0)));
  const Beauty& data = beauty();
  Beauty moved = data;
  Random random(2, "step");
  for (auto* values : {&moved.users, &moved.items})
    for (float& value : *values) value += static_cast<float>(0.003 * random.normal());
  RankingState ranking;
  top_k(*data.scorer(), data.all, data.masks, kTop, &ranking);
  if (!moved.right(top_k(*moved.scorer(), data.all, data.masks, kTop, &ranking)))
    return state.SkipWithError("wrong ranking");
  bool turn = false;
  for (auto _ : state) {
    turn = !turn;
    benchmark::DoNotOptimize(
        top_k(turn ? *data.scorer() : *moved.scorer(), data.all, data.masks, kTop, &ranking).items.data());
  }
  set_rates(state, kProducts);
}

// Warm ranking, then Recall and NDCG at 10 and 20 of one held-out item a user.
void warm_with_metrics(benchmark::State& state) {
  set_num_threads(static_cast<int>(state.range(0)));
  const Beauty& data = beauty();
  const data::Csr relevant = random_items(kUsers, kItems, 1, "relevant");
  RankingState ranking;
  for (auto _ : state) {
    const TopK top = top_k(*data.scorer(), data.all, data.masks, kTop, &ranking);
    benchmark::DoNotOptimize(
        metrics::evaluate_ranking(data.all, top.items, kTop, relevant, {"recall", "ndcg"}, {10, 20})
            .means.data());
  }
  set_rates(state, kProducts);
}

void generic(benchmark::State& state) {
  set_num_threads(static_cast<int>(state.range(0)));
  const Beauty& data = beauty();
  const auto scorer = data.scorer();
  const HiddenProducts hidden(*scorer);
  if (!data.right(top_k(hidden, data.all, data.masks, kTop))) return state.SkipWithError("wrong ranking");
  for (auto _ : state) benchmark::DoNotOptimize(top_k(hidden, data.all, data.masks, kTop).items.data());
  set_rates(state, kProducts);
}

void poincare(benchmark::State& state) {
  set_num_threads(static_cast<int>(state.range(0)));
  const Beauty& data = beauty();
  const auto scorer = make_embedding_scorer({Geometry::kPoincare}, data.users, data.items, kDim);
  for (auto _ : state) benchmark::DoNotOptimize(top_k(*scorer, data.all, data.masks, kTop).items.data());
  // A difference, a square and a sum a coordinate.
  set_rates(state, 3.0 * static_cast<double>(kUsers * kItems * kDim));
}

// 200,000 items, 4,096 users at a time as `recommend` takes them, cold, packed beforehand.
void large_catalogue(benchmark::State& state) {
  set_num_threads(static_cast<int>(state.range(0)));
  const std::int64_t users = 4096, items = 200000, k = state.range(1);
  const auto x = random_points(users, kDim, "users"), y = random_points(items, kDim, "items");
  const data::Csr history = random_items(users, items, kHistory, "history");
  const std::vector<const data::Csr*> masks = {&history};
  const auto all = all_users(users);
  const auto scorer = make_embedding_scorer({Geometry::kLorentz}, x, y, kDim);
  for (auto _ : state) benchmark::DoNotOptimize(top_k(*scorer, all, masks, k).items.data());
  set_rates(state, 2.0 * static_cast<double>(users * items * (kDim + 1)));
}

#define HYPERLLM_RANKING_BENCHMARK(name) BENCHMARK(name)->Unit(benchmark::kMillisecond)->UseRealTime()

HYPERLLM_RANKING_BENCHMARK(cold)->ArgName("threads")->Arg(1)->Arg(2);
HYPERLLM_RANKING_BENCHMARK(warm)->ArgName("threads")->Arg(1)->Arg(2);
HYPERLLM_RANKING_BENCHMARK(warm_with_metrics)->ArgName("threads")->Arg(2);
HYPERLLM_RANKING_BENCHMARK(generic)->ArgName("threads")->Arg(1)->Arg(2);
HYPERLLM_RANKING_BENCHMARK(poincare)->ArgName("threads")->Arg(2);
HYPERLLM_RANKING_BENCHMARK(large_catalogue)->ArgNames({"threads", "k"})->Args({2, 20})->Args({2, 300});

}  // namespace
}  // namespace hyperllm::retrieval

BENCHMARK_MAIN();
