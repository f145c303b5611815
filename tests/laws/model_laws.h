// The contract that every backbone passes in every variant, on a catalogue whose right answer is known
// (tests/support/planted_dataset.h). A law returns an empty string, or says how it is broken.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "hyperllm/frameworks/framework.h"
#include "hyperllm/models/backbone.h"
#include "hyperllm/stages/train/run.h"

namespace hyperllm::test {

// A folder with the planted dataset, trained in for every law.
struct LawBench {
  explicit LawBench(std::filesystem::path folder);
  // Small, and learnt in a second.
  stages::train::TrainOptions options(const std::string& backbone, const std::string& variant) const;
  // The same for another framework than HyperLLM.
  stages::train::TrainOptions in_framework(const std::string& backbone, const std::string& framework) const;

  std::filesystem::path folder, dataset;
};

// Test recall lies well above popularity's, and near the best possible.
std::string learns(const LawBench& bench, stages::train::TrainOptions options);
// The mean loss of the last epochs lies below that of the first.
std::string loss_falls(const LawBench& bench, stages::train::TrainOptions options);
// Two runs with one seed, on one thread and on two, end in the same bytes; another seed in others.
std::string same_bytes(const LawBench& bench, stages::train::TrainOptions options);
// What was saved ranks as what was trained did: validation metrics agree to the last bit, and a user ranked
// alone gets what they get among others.
std::string saved_model_ranks_the_same(const LawBench& bench, stages::train::TrainOptions options);
// The saved model names the geometry and the curvature in which the backbone was validated.
std::string saved_in_the_validated_space(const LawBench& bench, stages::train::TrainOptions options);
// Options of a model's own: names without its prefix, and texts.
using OwnTexts = std::vector<std::pair<std::string, std::string>>;
// Untrained representations depend on the neighbours in the graph, and on nothing that no path leads to. A
// model that centres all nodes by their common mean breaks the second by intent: it is tested with the options
// that switch that off, and its own tests say that it does so otherwise.
std::string uses_the_graph(const std::string& backbone, const OwnTexts& options = {});
// They are finite points of the right shape, and give finite gradients, also from extreme tangents.
std::string stays_finite(const std::string& backbone);
// A pass is a function of what it is given: equal passes give equal bytes, whatever was computed before. In
// evaluation, seed, epoch and step count for nothing; a model that draws in training draws anew in another
// step.
std::string same_pass_same_bytes(const std::string& backbone);

// A framework around a backbone for the user-item graph of four users and four items.
using FrameworkOf = std::function<std::unique_ptr<frameworks::Framework>(
    std::shared_ptr<const models::Backbone>, std::shared_ptr<const frameworks::Objective>)>;
// HyperLLM's Base on that graph, untrained.
std::unique_ptr<frameworks::Framework> base_framework(std::shared_ptr<const models::Backbone> backbone,
                                                      std::shared_ptr<const frameworks::Objective> objective);
// The same with two tags.
std::unique_ptr<frameworks::Framework> structural_framework(
    std::shared_ptr<const models::Backbone> backbone, std::shared_ptr<const frameworks::Objective> objective);
// KAR, RLMRec-Con and RLMRec-Gen.
std::unique_ptr<frameworks::Framework> kar_framework(std::shared_ptr<const models::Backbone> backbone,
                                                     std::shared_ptr<const frameworks::Objective> objective);
std::unique_ptr<frameworks::Framework> rlmrec_con_framework(
    std::shared_ptr<const models::Backbone> backbone, std::shared_ptr<const frameworks::Objective> objective);
std::unique_ptr<frameworks::Framework> rlmrec_gen_framework(
    std::shared_ptr<const models::Backbone> backbone, std::shared_ptr<const frameworks::Objective> objective);
// A backbone's auxiliary loss counts in value and gradient, under every objective.
std::string auxiliary_loss_counts(const FrameworkOf& make);

}  // namespace hyperllm::test
