// `hyperllm train`: from a dataset folder to a run folder.
//
//   model/                                       what evaluate and recommend read (retrieval/model_files.h)
//   result.json                                  best epoch, its validation metrics; no time, no test metric;
//                                                `notes`: what looks wrong and what to try, if anything does
//   unfinished.json                              whose epoch's model/ is while training goes on: the best so
//                                                far. Both are renewed with the checkpoints, unless the folder
//                                                holds a finished run, whose model stays until the new one is
//                                                whole
//   metrics.jsonl, phase1.metrics.jsonl          one line an epoch
//   phase1/users.npy, phase1/items.npy           x of (12): tangent vectors
//   checkpoint.safetensors, phase1.safetensors   until the run has ended
//   paused.json                                  of a run that 'pause_after' stopped, until it has ended: as
//                                                result.json, up to there
//   tensorboard/PHASE/events.out.tfevents.*      with `tensorboard`; holds times of the clock
//   timing.json                                  seconds by purpose, planned and peak memory; differs between
//                                                equal runs
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
  bool paused = false;                                // the model is that of the best epoch so far
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
