// `hyperllm train`: from a dataset folder to a run folder.
//
//   RUN/model/                    what evaluate and recommend read (retrieval/model_files.h)
//   RUN/result.json               best epoch and its validation metrics; no time, no test metric
//   RUN/metrics.jsonl             one line an epoch; RUN/phase1.metrics.jsonl likewise
//   RUN/phase1/users.npy items.npy   x of (12): tangent vectors
//   RUN/checkpoint.safetensors, RUN/phase1.safetensors   until the run has ended
//   RUN/paused.json               result.json so far, where 'pause_after' stopped; until the run has ended
//   RUN/timing.json               seconds by purpose, planned and peak memory; differs between equal runs
#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "hyperllm/base/progress.h"
#include "hyperllm/stages/train/options.h"

namespace hyperllm::stages::train {

struct TrainResult {
  std::int64_t best_epoch = 0;
  std::int64_t epochs = 0;
  bool paused = false;                                // there is no model yet
  std::vector<std::pair<std::string, double>> valid;  // metrics of the best epoch; empty for a baseline
  std::vector<std::filesystem::path> inputs, outputs;
  std::vector<std::filesystem::path> checkpoints;  // of use until the run's manifest is written
};

// What training reads of a dataset folder of that name, and of other folders.
std::vector<std::filesystem::path> input_files(const TrainOptions& options, const std::string& dataset_name);

// Throws what the parts throw: kInvalidArgument, kInvalidData, kIo, kNonFinite, kInterrupted (all epochs done
// are saved).
TrainResult run(const TrainOptions& options, const Context& context);

}  // namespace hyperllm::stages::train
