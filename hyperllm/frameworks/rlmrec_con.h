// RLMRec-Con (Ren et al., "Representation Learning with Large Language Models for Recommendation", WWW 2024)
// around a backbone: representations are aligned with projected semantic embeddings by a contrast.
#pragma once

#include <torch/types.h>

#include <memory>
#include <string>
#include <vector>

#include "hyperllm/frameworks/layers.h"
#include "hyperllm/frameworks/one_phase.h"

namespace hyperllm::frameworks {

// The nodes that each of the three sums is taken over, once each, with how often the batch has them.
struct Occurrences {
  std::vector<std::int32_t> node;  // ascending
  std::vector<float> count;
};
Occurrences occurrences(std::vector<std::int32_t> nodes);
// A batch's users, its positive items and, where the objective draws some, the first negative of each pair.
std::vector<Occurrences> aligned_sides(const Pairs& pairs);

struct AlignmentOptions {
  double weight = 0.01;    // kd_weight; 0: none
  double tau = 0.2;        // > 0
  bool all_users = false;  // users are told apart from all users, not from the batch's
  optim::OwnStep step = {};
};

// loss = L_backbone + weight * (sum over users + over positives + over negatives), each term InfoNCE of cos(h,
// p) / tau with p = MLP(s), against the batch's other nodes of its kind; nodes that a batch has several times
// count so often, as rows and as columns. cos of logmap0(h) is that of h in every geometry: no map is needed.
class RlmrecCon final : public Framework {
 public:
  // semantic: (users + items) x D, frozen. `train` serves draws() and may be null where they are not asked
  // for.
  RlmrecCon(UserItemTask task, std::shared_ptr<const data::Csr> train, std::unique_ptr<Embeddings> embeddings,
            torch::Tensor semantic, std::int64_t dim, const AlignmentOptions& options, const Random& random);

  Draws draws() const override;
  std::vector<optim::Parameter> parameters() const override;
  void parameters_changed() override { embeddings_->parameters_changed(); }
  torch::Tensor loss(const Batch& batch, const models::Pass& pass) const override;
  Representations representations() const override;
  // Without its weight. points: nodes x dim.
  torch::Tensor alignment(const torch::Tensor& points, const std::vector<Occurrences>& sides) const;

 private:
  UserItemTask task_;
  std::shared_ptr<const data::Csr> train_;
  std::unique_ptr<Embeddings> embeddings_;
  torch::Tensor semantic_;
  AlignmentOptions options_;
  Perceptron mlp_;
};

struct RlmrecConMethod final : Method {
  double weight = 0.01;
  double tau = 0.2;
  std::string users = "batch";
  OwnStepOptions own;

  FieldList fields() override;
  std::string variant() const override { return "rlmrec_con"; }
  Needs needs(const std::filesystem::path& embeddings) const override;
  std::int64_t step_bytes(const StepShape& shape) const override;
  std::vector<Phase> phases(const Materials& materials) const override;
};

}  // namespace hyperllm::frameworks
