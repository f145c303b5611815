// The kernels of a training step, contrast and mixture apart, at Amazon-Beauty's size: 10,553 users, 6,086
// items, 6,418 tags, 49 dimensions. Each result is checked before it is timed. GB/s: what the kernel must
// read and write, for propagation the gathered rows included.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <span>
#include <vector>

#include "benchmarks/training/catalogue.h"
#include "hyperllm/base/parallel.h"
#include "hyperllm/kernels/centring.h"
#include "hyperllm/kernels/elementwise.h"
#include "hyperllm/kernels/lorentz_rows.h"
#include "hyperllm/kernels/nearest_candidate.h"
#include "hyperllm/kernels/propagate.h"
#include "hyperllm/kernels/triplet.h"
#include "tests/support/points.h"

namespace hyperllm::kernels {
namespace {

using benchmarks::kDim, benchmarks::kItems, benchmarks::kTags, benchmarks::kUsers;
using Floats = std::vector<float>;

constexpr std::int64_t kParameterRows = kUsers + kItems + kTags, kNodes = kParameterRows + kItems;

void use_threads(benchmark::State& state) { set_num_threads(static_cast<int>(state.range(0))); }

void set_rates(benchmark::State& state, double bytes, double flops) {
  const auto rate = [](double amount) {
    return benchmark::Counter(amount * 1e-9, benchmark::Counter::kIsIterationInvariantRate);
  };
  state.counters["GB/s"] = rate(bytes);
  state.counters["GFLOP/s"] = rate(flops);
  set_num_threads(0);
}

bool close(double a, double b) { return std::abs(a - b) <= 1e-5 * std::max(1.0, std::abs(b)); }

// The catalogue's graphs in the arrays of SymmetricGraph.
struct BenchGraph {
  std::vector<std::int64_t> indptr = {0}, cuts;
  std::vector<std::int32_t> indices;
  Floats weights, scale;
  bool unit = true;

  explicit BenchGraph(bool with_tags) {
    std::vector<std::map<std::int32_t, float>> rows(
        static_cast<std::size_t>(with_tags ? kItems + kTags : kUsers + kItems));
    const auto add = [&](std::int64_t a, std::int64_t b, float weight) {
      rows[a][static_cast<std::int32_t>(b)] += weight;
      rows[b][static_cast<std::int32_t>(a)] += weight;
    };
    if (with_tags) {
      const data::TagGraph tags = benchmarks::tags();
      for (const auto& [parent, child] : tags.edges) add(kItems + parent, kItems + child, 2);
      for (const auto& [tag, item] : tags.tag_items) add(kItems + tag, item, 1);
    } else {
      const data::Csr train = benchmarks::interactions();
      for (std::int64_t user = 0; user < train.rows; ++user)
        for (std::int32_t item : train.row(user)) add(user, kUsers + item, 1);
    }
    for (std::size_t node = 0; node < rows.size(); ++node) {
      rows[node][static_cast<std::int32_t>(node)] += 1;
      float degree = 0;
      for (const auto& [other, weight] : rows[node]) {
        indices.push_back(other);
        weights.push_back(weight);
        unit = unit && weight == 1;
        degree += weight;
      }
      indptr.push_back(static_cast<std::int64_t>(indices.size()));
      scale.push_back(1 / degree);
    }
    cuts = row_cuts(indptr);
  }

  std::int64_t nodes() const { return static_cast<std::int64_t>(scale.size()); }
  SymmetricGraph view() const {
    return {nodes(), indptr, indices, unit ? std::span<const float>() : weights, scale, cuts};
  }
};

// Arguments: threads, 1 for the graph of the tags, 1 for the backward pass.
void propagate(benchmark::State& state) {
  use_threads(state);
  constexpr std::int64_t kLayers = 3;
  const BenchGraph graph(state.range(1) != 0);
  // The rows of A sum to 1: a constant stays, and each layer adds it once more.
  Floats x(static_cast<std::size_t>(graph.nodes() * kDim), 1.0f), out(x.size()), scratch(x.size());
  propagate_sum(graph.view(), x, kDim, kLayers, out, scratch);
  for (float value : out)
    if (!close(value, kLayers)) return state.SkipWithError("the sum is wrong");
  x = test::normal_floats(graph.nodes() * kDim, 2);
  for (auto _ : state) {
    if (state.range(2))
      propagate_sum_backward(graph.view(), x, kDim, kLayers, out, scratch);
    else
      propagate_sum(graph.view(), x, kDim, kLayers, out, scratch);
    benchmark::DoNotOptimize(out.data());
  }
  const auto edges = static_cast<double>(graph.indices.size());
  set_rates(state, kLayers * edges * (kDim * 4 + 4), kLayers * edges * kDim * 2);
}

// Arguments: threads, 1 for the backward pass. All rows of both graphs, half of them on the cap.
void expmap(benchmark::State& state) {
  use_threads(state);
  const Floats v = test::normal_floats(kNodes * kDim, 1, 1.5 / 7);
  Floats x(v.size()), back(v.size());
  expmap0(v, kDim, 1, kNoCap, x);
  logmap0(x, kDim, 1, back);
  for (std::size_t i = 0; i < v.size(); ++i)
    if (!close(back[i], v[i])) return state.SkipWithError("logmap0 does not undo expmap0");
  for (auto _ : state) {
    if (state.range(1))
      expmap0_backward(v, x, kDim, 1, 1.5, back);
    else
      expmap0(v, kDim, 1, 1.5, x);
    benchmark::DoNotOptimize(x.data());
  }
  set_rates(state, static_cast<double>(v.size()) * 4 * (state.range(1) ? 3 : 2),
            static_cast<double>(v.size()) * (state.range(1) ? 7 : 3));
}

// Arguments: threads, 1 for the step with both maps. All parameters.
void rsgd_step(benchmark::State& state) {
  use_threads(state);
  Floats x(static_cast<std::size_t>(kParameterRows * kDim), 0.0f), buffer(x.size(), 0.0f), tangents(x.size());
  const Floats grad = test::normal_floats(static_cast<std::int64_t>(x.size()), 1, 0.1);
  RsgdStep step;
  const auto move = [&] {
    if (state.range(1))
      lorentz_rsgd_of_tangents(x, tangents, grad, buffer, kDim, 1, step);
    else
      lorentz_rsgd(x, grad, buffer, kDim, 1, step);
  };
  move();
  double length = 0, norm = 0;
  for (std::int64_t k = 0; k < kDim; ++k) {
    length += static_cast<double>(x[k]) * x[k];
    norm += static_cast<double>(grad[k]) * grad[k];
  }
  if (!close(std::asinh(std::sqrt(length)) / (step.lr * std::sqrt(norm)), 1))
    return state.SkipWithError("the step has the wrong length");
  for (auto _ : state) {
    move();
    benchmark::DoNotOptimize(x.data());
  }
  set_rates(state, static_cast<double>(x.size()) * 4 * (state.range(1) ? 6 : 5),
            static_cast<double>(x.size()) * (state.range(1) ? 24 : 19));
}

// Arguments: threads, 1 for the backward pass, 1 for adaptive margins. 4,096 triplets of users and items.
void triplet(benchmark::State& state) {
  use_threads(state);
  constexpr std::int64_t kCount = benchmarks::kBatch, kRows = kUsers + kItems;
  const Floats h = test::random_points(kRows, kDim, 1, 1.5, 1);
  std::vector<std::int32_t> ids[3];
  for (std::uint64_t i = 0; i < 3; ++i)
    for (std::int64_t id : test::random_targets(kCount, i == 0 ? kUsers : kItems, i))
      ids[i].push_back(static_cast<std::int32_t>(i == 0 ? id : kUsers + id));
  const TripletIds triplets{ids[0], ids[1], ids[2]};
  std::vector<TripletTerm> terms(kCount);
  Floats grad(h.size());
  const double loss = triplet_hinge(h, kDim, 1, triplets, 20, terms);  // every hinge open
  triplet_hinge(h, kDim, 1, {ids[0], ids[2], ids[1]}, 20, terms);
  if (!close(loss + triplet_hinge(h, kDim, 1, {ids[0], ids[2], ids[1]}, 20, terms), 40.0 * kCount))
    return state.SkipWithError("the loss is wrong");
  const Margin margin(1.6, state.range(2) != 0);
  triplet_hinge(h, kDim, 1, triplets, margin, terms);
  for (auto _ : state) {
    if (state.range(1))
      triplet_hinge_backward(h, kDim, 1, triplets, terms, 1, grad);
    else
      benchmark::DoNotOptimize(triplet_hinge(h, kDim, 1, triplets, margin, terms));
    benchmark::DoNotOptimize(grad.data());
  }
  const double gathered = static_cast<double>(kCount * kDim) * 4;
  set_rates(state, state.range(1) ? gathered * 4 + static_cast<double>(grad.size()) * 8 : gathered * 3,
            static_cast<double>(kCount * kDim) * (state.range(1) ? 8 : 16));
}

// Argument: threads. Three candidates for each of 4,096 positives.
void nearest_candidate(benchmark::State& state) {
  use_threads(state);
  constexpr std::int64_t kCount = benchmarks::kBatch, kPerPair = 3;
  const Floats h = test::random_points(kItems, kDim, 1, 1.5, 1);
  std::vector<std::int32_t> positive, candidates, nearest(kCount);
  for (std::int64_t id : test::random_targets(kCount, kItems, 1)) {
    positive.push_back(static_cast<std::int32_t>(id));
    for (std::int64_t i = 0; i < kPerPair; ++i)
      candidates.push_back(static_cast<std::int32_t>((id + 7919 * i) % kItems));  // the first: itself
  }
  const auto choose = [&] {
    nearest_candidates(std::span<const float>(h), kDim, 1, positive, candidates, kPerPair,
                       std::span(nearest));
  };
  choose();
  if (nearest != positive) return state.SkipWithError("the choice is wrong");
  for (auto _ : state) {
    choose();
    benchmark::DoNotOptimize(nearest.data());
  }
  constexpr auto kRead = static_cast<double>(kCount * (kPerPair + 1) * kDim);
  set_rates(state, kRead * 4, kRead * 4);
}

// Argument: threads. Users and items.
void centring(benchmark::State& state) {
  use_threads(state);
  const Floats x = test::normal_floats((kUsers + kItems) * kDim, 1);
  Floats out(x.size());
  for (auto _ : state) {
    subtract_column_means(x, kDim, out);
    benchmark::DoNotOptimize(out.data());
  }
  double sum = 0;
  for (std::size_t i = 0; i < out.size(); i += kDim) sum += out[i];
  if (std::abs(sum) > 1e-2) return state.SkipWithError("the mean is wrong");
  const auto size = static_cast<double>(x.size());
  set_rates(state, size * 12, size * 2);
}

// Argument: threads. Users and items, as the softmax objective trains them.
void adam_step(benchmark::State& state) {
  use_threads(state);
  Floats x(static_cast<std::size_t>((kUsers + kItems) * kDim), 0.0f), first(x.size(), 0.0f), second = first;
  const Floats grad = test::normal_floats(static_cast<std::int64_t>(x.size()), 1);
  AdamStep step;
  adam(x, grad, first, second, step);
  for (std::size_t i = 0; i < x.size(); ++i)
    if (std::abs(grad[i]) > 1e-3 && !close(std::abs(x[i]), step.lr))
      return state.SkipWithError("the first step has the wrong length");
  for (auto _ : state) {
    ++step.t;
    adam(x, grad, first, second, step);
    benchmark::DoNotOptimize(x.data());
  }
  set_rates(state, static_cast<double>(x.size()) * 4 * 7, static_cast<double>(x.size()) * 13);
}

#define HYPERLLM_ROWS_BENCHMARK(name) BENCHMARK(name)->Unit(benchmark::kMillisecond)->UseRealTime()

HYPERLLM_ROWS_BENCHMARK(propagate)
    ->ArgNames({"threads", "tags", "backward"})
    ->ArgsProduct({{1, 2}, {0, 1}, {0, 1}});
HYPERLLM_ROWS_BENCHMARK(expmap)->ArgNames({"threads", "backward"})->ArgsProduct({{1, 2}, {0, 1}});
HYPERLLM_ROWS_BENCHMARK(rsgd_step)->ArgNames({"threads", "tangents"})->ArgsProduct({{1, 2}, {0, 1}});
HYPERLLM_ROWS_BENCHMARK(triplet)
    ->ArgNames({"threads", "backward", "adaptive"})
    ->ArgsProduct({{1, 2}, {0, 1}, {0, 1}});
HYPERLLM_ROWS_BENCHMARK(nearest_candidate)->ArgName("threads")->Arg(1)->Arg(2);
HYPERLLM_ROWS_BENCHMARK(centring)->ArgName("threads")->Arg(1)->Arg(2);
HYPERLLM_ROWS_BENCHMARK(adam_step)->ArgName("threads")->Arg(1)->Arg(2);

}  // namespace
}  // namespace hyperllm::kernels

BENCHMARK_MAIN();
