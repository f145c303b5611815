// The contract that every backbone passes in every variant, on a catalogue whose right answer is known
// (tests/support/planted_dataset.h). A law returns an empty string, or says how it is broken.
#pragma once

#include <filesystem>
#include <string>

#include "hyperllm/stages/train/run.h"

namespace hyperllm::test {

// A folder with the planted dataset, trained in for every law.
struct LawBench {
  explicit LawBench(std::filesystem::path folder);
  // Small, and learnt in a second.
  stages::train::TrainOptions options(const std::string& backbone, const std::string& variant) const;

  std::filesystem::path folder, dataset;
};

// Test recall lies well above popularity's, and near the best possible.
std::string learns(const LawBench& bench, stages::train::TrainOptions options);
// The mean loss of the last epochs lies below that of the first.
std::string loss_falls(const LawBench& bench, stages::train::TrainOptions options);
// Two runs with one seed, on one thread and on two, end in the same bytes; another seed in others.
std::string same_bytes(const LawBench& bench, stages::train::TrainOptions options);
// What was saved ranks as what was trained did: validation metrics agree to the last bit, and a user ranked
// alone gets what he gets among others.
std::string saved_model_ranks_the_same(const LawBench& bench, stages::train::TrainOptions options);
// Untrained representations are finite points of the right shape, depend on the neighbours in the graph, and
// give finite gradients, also from extreme tangents.
std::string uses_the_graph(const std::string& backbone);
std::string stays_finite(const std::string& backbone);

}  // namespace hyperllm::test
