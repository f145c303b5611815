// `hyperllm bench`: what this machine can do, what training does on it, and how long a dataset would take.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "hyperllm/base/progress.h"
#include "hyperllm/kernels/ceilings.h"
#include "hyperllm/stages/bench/options.h"

namespace hyperllm::stages::bench {

// One part of a training step, all of its calls in the step together.
struct BenchPart {
  std::string name;
  double ms = 0;     // median
  double rate = 0;   // of `unit` a second; 0 where no ceiling applies
  double share = 0;  // of the ceiling that applies, 0 to 1
  std::string unit;  // "GFLOP/s" (ceiling: FMA peak) or "GB/s" (ceiling: gather)
};

struct BenchResult {
  std::string dataset;  // its name, or "synthetic"
  std::int64_t users = 0, items = 0, interactions = 0, tags = 0;
  kernels::Ceilings ceilings;
  std::vector<BenchPart> parts;
  double step_ms = 0;        // a whole step of HyperLLM's phase 2 (without tags where the dataset has none)
  double evaluation_ms = 0;  // representations, full ranking of all users with validation items, metrics
  std::int64_t steps_per_epoch = 0;
  double epoch_s = 0;  // steps, their sampling, one validation
  double total_s = 0;  // options.epochs epochs; early stopping usually ends sooner
  // Planned peak of a training run; peak of this process before the ceilings were measured.
  std::int64_t planned_memory = 0, peak_memory = 0;
  std::string text;  // a table, or JSON
};

// Takes about 10 s, a large dataset's loading time beside that: what would take longer (the contrast of a
// large catalogue, the ranking of many users) is measured on a part and scaled. Throws kInvalidArgument
// (options; a dataset that will not fit into memory), kIo, kInvalidData.
BenchResult run(const BenchOptions& options, const Context& context);

}  // namespace hyperllm::stages::bench
