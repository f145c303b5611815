// Rates of a kernel as counters: GFLOP/s, and the share of the multiply-add peak that the same process
// measures first, on as many threads, with the same instruction set.
#pragma once

#include <benchmark/benchmark.h>
#include <hwy/targets.h>

#include <cstdint>
#include <map>
#include <utility>

#include "hyperllm/base/parallel.h"
#include "hyperllm/kernels/ceilings.h"

namespace hyperllm::bench {

inline double fma_peak(int threads) {
  static std::map<std::pair<int, std::int64_t>, double> known;
  const auto [at, unknown] = known.try_emplace({threads, hwy::SupportedTargets()});
  if (unknown) {
    set_num_threads(threads);
    at->second = kernels::measure_fma_gflops();
  }
  return at->second;
}

// After the loop: `flops` of one iteration on `threads` threads. Puts the number of threads back.
inline void set_rates(benchmark::State& state, int threads, double flops) {
  using benchmark::Counter;
  state.counters["GFLOP/s"] = Counter(flops * 1e-9, Counter::kIsIterationInvariantRate);
  state.counters["share"] = Counter(flops * 1e-9 / fma_peak(threads), Counter::kIsIterationInvariantRate);
  set_num_threads(0);
}

}  // namespace hyperllm::bench
