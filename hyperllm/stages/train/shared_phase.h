// Results of a phase that several runs have in common: the first one that ends it leaves them, the others
// take them.
//
//   STORE/KEY/shared.json       key, epochs, and a hash of each file
//   STORE/KEY/phase1/users.npy ...   the files as they lie in a run's folder
//
// All of it is put in place at once, by one writer at a time; readers see the whole or nothing.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "hyperllm/base/progress.h"

namespace hyperllm::stages::train {

struct SharedPhase {
  std::int64_t best_epoch = 0, epochs = 0;
  double score = 0;                          // of the best epoch
  std::vector<std::filesystem::path> files;  // below the run's folder
};

// Puts what the store holds under `key` into the folder of `run`. None if there is nothing, or, with a
// warning, if it is damaged. Throws kIo.
std::optional<SharedPhase> take_shared(const std::filesystem::path& store, const std::string& key,
                                       const std::filesystem::path& run, const Context& context);

// Leaves the phase's files of `run` in the store, unless another process is at it, which leaves the same.
// Throws kIo.
void leave_shared(const std::filesystem::path& store, const std::string& key,
                  const std::filesystem::path& run, const SharedPhase& phase);

}  // namespace hyperllm::stages::train
