// KAR (Xi et al., "Towards Open-World Recommendation with Knowledge Augmentation from Large Language Models",
// RecSys 2024) around a backbone: a hybrid-expert adaptor turns semantic embeddings into vectors that are
// joined to the ID embeddings.
#pragma once

#include <torch/types.h>

#include <memory>
#include <string>
#include <vector>

#include "hyperllm/frameworks/layers.h"
#include "hyperllm/frameworks/one_phase.h"

namespace hyperllm::frameworks {

// Experts that are each a perceptron D -> hidden, ReLU -> out, stacked: (experts * hidden) x D and
// (experts * out) x hidden.
struct Experts {
  Weights hidden, last;
};

// (rows x experts) softmax(s W^T + b).
torch::Tensor expert_gates(const torch::Tensor& semantic, const Weights& gate);
// sum_e gates_e E_e(s): rows x out. semantic: rows x D. relu_last: each expert ends in a ReLU.
torch::Tensor mixed_experts(const torch::Tensor& semantic, const Experts& experts, const torch::Tensor& gates,
                            bool relu_last);

struct AdaptorOptions {
  std::int64_t experts = 5, shared_experts = 2;  // of each side, and of both; >= 1, >= 0
  std::int64_t hidden = 128;
  std::int64_t dim = 49;
  bool relu_last = false;
  optim::OwnStep step = {};
};

class Adaptor {
 public:
  // semantic: (users + items) x D, frozen.
  Adaptor(torch::Tensor semantic, const models::Nodes& nodes, const AdaptorOptions& options,
          const Random& random);

  // a: (users + items) x dim.
  torch::Tensor rows() const;
  // kar.shared, kar.users and kar.items (.hidden and .last, .weight and .bias), kar.users.gate and
  // kar.items.gate; a gate has the shared experts first.
  std::vector<optim::Parameter> parameters() const;

 private:
  struct Side {
    torch::Tensor semantic;
    Experts experts;
    Weights gate;
  };
  torch::Tensor rows_of(const Side& side) const;

  AdaptorOptions options_;
  Experts shared_;
  Side users_, items_;
};

// The backbone takes tangent vectors [e ; a]: e the ID embeddings, a the adaptor's.
class Kar final : public Framework {
 public:
  // `train` serves draws() and may be null where they are not asked for.
  Kar(UserItemTask task, std::shared_ptr<const data::Csr> train, std::unique_ptr<Embeddings> embeddings,
      Adaptor adaptor);

  Draws draws() const override;
  std::vector<optim::Parameter> parameters() const override;
  void parameters_changed() override { embeddings_->parameters_changed(); }
  torch::Tensor loss(const Batch& batch, const models::Pass& pass) const override;
  Representations representations() const override;

 private:
  torch::Tensor tangents() const;

  UserItemTask task_;
  std::shared_ptr<const data::Csr> train_;
  std::unique_ptr<Embeddings> embeddings_;
  Adaptor adaptor_;
};

struct KarMethod final : Method {
  std::int64_t experts = 5;
  std::int64_t shared_experts = 2;
  std::int64_t hidden = 128;
  std::string join = "concat";
  bool relu_last = false;
  OwnStepOptions own;

  FieldList fields() override;
  std::string variant() const override { return "kar"; }
  Needs needs(const std::filesystem::path& embeddings) const override;
  std::int64_t step_bytes(const StepShape& shape) const override;
  std::vector<Phase> phases(const Materials& materials) const override;
};

}  // namespace hyperllm::frameworks
