// The epoch loop: steps, validation, early stopping, checkpoints and resume. Knows models only through the
// framework.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "hyperllm/base/progress.h"
#include "hyperllm/data/csr.h"
#include "hyperllm/frameworks/framework.h"
#include "hyperllm/optim/optimizer.h"
#include "hyperllm/retrieval/scorer.h"
#include "hyperllm/training/sampler.h"

namespace hyperllm::training {

using Metrics = std::vector<std::pair<std::string, double>>;

// Users with relevant items, ascending: all of them, or `most` drawn at random by `seed` if there are more
// (0: all).
std::vector<std::int32_t> evaluation_users(const data::Csr& relevant, std::int64_t most, std::uint64_t seed);

// Recall and NDCG at 10 and 20 of `users` on `relevant`, items of `mask` left out, ranked as their space
// says. `state`, kept from call to call with the same users, makes the next one faster and changes nothing.
Metrics rank_and_measure(const frameworks::Representations& representations, const data::Csr& mask,
                         const data::Csr& relevant, std::span<const std::int32_t> users,
                         retrieval::RankingState* state = nullptr);

struct TrainerOptions {
  std::int64_t epochs = 500;
  std::int64_t patience = 50;      // epochs without a better validation score before stopping
  std::int64_t eval_every = 1;     // epochs
  std::int64_t eval_users = 0;     // validate on so many users, the same ones each time; 0: all
  std::uint64_t seed = 1;          // draws them, and what a model draws in training
  double checkpoint_seconds = 30;  // 0: after every epoch
  std::int64_t pause_after = 0;    // leave after this epoch with a checkpoint, unless training ends; 0: never
  bool resume = true;              // go on from `checkpoint` if it is there and of the same identity
  std::filesystem::path checkpoint;  // file
  std::filesystem::path log;         // JSON lines, one an evaluated epoch
  std::string task = "train";        // shown in progress
  std::string identity;              // options and data that a checkpoint must come from to be continued
};

// Where the time of this call went; earlier calls of a resumed run do not count.
struct Times {
  double sampling = 0, steps = 0, evaluation = 0;  // seconds
  std::int64_t epochs = 0, step_count = 0, evaluations = 0;
};

struct Outcome {
  std::int64_t best_epoch = 0;  // 0: before the first step
  std::int64_t epochs = 0;      // epochs run, earlier runs included
  bool stopped_early = false;
  bool paused = false;  // not at its end: the same call with a later pause, or none, goes on
  Metrics best;         // validation metrics of the best epoch
  Times times;
};

// Trains until `epochs` or until `patience` runs out, then puts the parameters of the best epoch back. The
// score is R@10 + R@20 + N@10 + N@20 on validation, ties go to the later epoch (both as in the released
// code). A run that pauses, however often, ends in the bytes of one that does not. Throws kNonFinite naming
// the first bad tensor and row (the last good checkpoint stays), kInterrupted after writing a checkpoint. A
// checkpoint of another identity is kept, with its log, under a name that ends in .aside, and a warning says
// so.
Outcome train(frameworks::Framework& framework, optim::Optimizer& optimizer, const Sampler& sampler,
              const data::Csr& train_items, const data::Csr& valid_items, const TrainerOptions& options,
              const Context& context);

}  // namespace hyperllm::training
