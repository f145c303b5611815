// What the end of a training says of its settings.
#pragma once

#include <optional>
#include <string>

#include "hyperllm/training/trainer.h"

namespace hyperllm::stages::train {

struct Ended {
  std::string phase;    // "phase1"
  std::string options;  // what the names of its options begin with: "phase1_", or nothing
  std::int64_t best_epoch = 0, epochs = 0;
  double score = 0;  // of the best epoch, on validation
  std::int64_t most_epochs = 500;
  double lr = 1e-3;
  std::string objective;  // its name
};

// A sentence or two where the best epoch is the first or the last one, or nothing was found at all: what that
// means, and what to try. None if training was asked for no epoch.
std::optional<std::string> advice(const Ended& ended);

// The same where a model ranks worse than the items' popularity, on the same users.
std::optional<std::string> advice_on_popularity(const training::Metrics& model,
                                                const training::Metrics& popular);

}  // namespace hyperllm::stages::train
