// RLMRec-Gen (Ren et al., "Representation Learning with Large Language Models for Recommendation", WWW 2024)
// around a backbone: nodes are masked, and their semantic embeddings found again from what the graph says.
#pragma once

#include <torch/types.h>

#include <memory>
#include <string>
#include <vector>

#include "hyperllm/frameworks/layers.h"
#include "hyperllm/frameworks/one_phase.h"

namespace hyperllm::frameworks {

// e with the rows `masked` replaced by `token` (1 x dim).
torch::Tensor masked_rows(const torch::Tensor& e, const torch::Tensor& token,
                          const std::vector<std::int32_t>& masked);

struct ReconstructionOptions {
  double ratio = 0.15;      // of the nodes that a step masks: max(1, floor(ratio N)), none for 0; below 1
  double weight = 0.1;      // recon_weight; 0: none
  double tau = 0.5;         // > 0
  std::int64_t rows = 512;  // masked nodes that the loss is taken on; 0: all
  optim::OwnStep step = {};
};

// In training, masked nodes enter the graph as one learnt token, a tangent vector that starts at zero, and
// everything downstream sees them so. loss = L_backbone + weight * B * mean over masked nodes of the InfoNCE of
// cos(MLP(logmap0(h)), s) / tau against all masked nodes' s, B the pairs of the batch. Evaluation masks
// nothing.
class RlmrecGen final : public Framework {
 public:
  // semantic: (users + items) x D, frozen. `train` serves draws() and may be null where they are not asked
  // for.
  RlmrecGen(UserItemTask task, std::shared_ptr<const data::Csr> train, std::unique_ptr<Embeddings> embeddings,
            torch::Tensor semantic, std::int64_t dim, const ReconstructionOptions& options,
            const Random& random);

  Draws draws() const override;
  std::vector<optim::Parameter> parameters() const override;
  void parameters_changed() override { embeddings_->parameters_changed(); }
  torch::Tensor loss(const Batch& batch, const models::Pass& pass) const override;
  Representations representations() const override;
  // The mean over the masked nodes; with fewer `rows`, over a sample of them, each against all masked ones:
  // value and gradient have those of the mean as expectation. points: nodes x dim.
  torch::Tensor reconstruction(const torch::Tensor& points, const std::vector<std::int32_t>& masked,
                               const models::Pass& pass) const;

 private:
  torch::Tensor outputs(const torch::Tensor& points) const;  // as tangent vectors

  UserItemTask task_;
  std::shared_ptr<const data::Csr> train_;
  std::unique_ptr<Embeddings> embeddings_;
  torch::Tensor semantic_, token_;
  ReconstructionOptions options_;
  Perceptron mlp_;
};

struct RlmrecGenMethod final : Method {
  double ratio = 0.15;
  double weight = 0.1;
  double tau = 0.5;
  std::int64_t rows = 512;
  OwnStepOptions own;

  FieldList fields() override;
  std::string variant() const override { return "rlmrec_gen"; }
  Needs needs(const std::filesystem::path& embeddings) const override;
  std::int64_t step_bytes(const StepShape& shape) const override;
  std::vector<Phase> phases(const Materials& materials) const override;
};

}  // namespace hyperllm::frameworks
