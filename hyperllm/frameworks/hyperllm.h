// The HyperLLM framework (section 4 of the paper) around any backbone.
//
// One class serves both phases and every variant:
//   phase 1 (4.2)      embeddings = mixture of experts, no tags                  L = L_meta (11) phase 2
//   (4.3)      embeddings = table started at phase 1's output (12), tags  L = L_ui + L_tag + w L_cl (15)
//   Base, Semantic     table started at random / at phase 1's output, no tags     L = L_ui
//   Structural         table started at random, tags                              (15)
//   w/o Meta           embeddings = mixture of experts inside phase 2, tags       (15)
//   w/o CL             w = 0
#pragma once

#include <torch/types.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "hyperllm/frameworks/embeddings.h"
#include "hyperllm/graph/graph.h"
#include "hyperllm/manifold/fused.h"
#include "hyperllm/models/backbone.h"

namespace hyperllm::frameworks {

// One optimisation step's samples. user_item: nodes users, then items. Tag triplets: nodes items, then tags.
struct Batch {
  manifold::Triplets user_item;
  manifold::Triplets tag_item;
  manifold::Triplets tag_tag;
  // Items whose terms of (16) are computed, distinct; empty: all.
  std::vector<std::int32_t> contrast_rows = {};
};

enum class Objective {
  kHinge,    // (6): margin ranking loss against sampled negatives
  kSoftmax,  // -log softmax over all items of -d^2 / tau at the positive item; negatives and margins are not
             // used
};

struct TagTask {
  graph::GraphPtr graph;                   // I^tag
  std::unique_ptr<Embeddings> embeddings;  // e_t, tags x dim
  double margin = 0.9;                     // m3
  double loss_weight = 1;                  // of L_tag
  double contrast_weight = 0.01;           // w
  double contrast_tau = 0.5;               // tau of (16)
};

struct HyperLlmOptions {
  std::int64_t num_users = 0;
  std::int64_t num_items = 0;
  Objective objective = Objective::kHinge;
  double margin = 1.6;       // m1 in phase 1, m2 in phase 2
  double softmax_tau = 0.5;  // > 0
};

// Final representations: space coordinates, detached.
struct Representations {
  torch::Tensor users;  // num_users x dim
  torch::Tensor items;  // num_items x dim
};

class HyperLlm {
 public:
  // `embeddings`: users then items.
  HyperLlm(const HyperLlmOptions& options, std::shared_ptr<const models::Backbone> backbone,
           graph::GraphPtr user_item, std::unique_ptr<Embeddings> embeddings, std::optional<TagTask> tags);

  std::vector<optim::Parameter> parameters() const;
  // To be called after parameters were written from outside (a checkpoint, the best epoch).
  void parameters_changed();

  // (11) or (15), a float64 scalar: a sum over the batch, and over all items for the contrast.
  torch::Tensor loss(const Batch& batch) const;

  Representations representations() const;
  // The users' and items' tangent embeddings as they stand: x of (12), detached.
  torch::Tensor tangents() const;
  double saturation() const;

  // "tensor NAME, row R" of the first non-finite parameter or intermediate result; empty if all are finite.
  std::string first_non_finite() const;

 private:
  torch::Tensor task_loss(const torch::Tensor& points, const manifold::Triplets& triplets, double margin,
                          std::int64_t first_candidate, std::int64_t candidates) const;
  // (16). With a sample of m of the items: (items / m) times the sum over the sample, each term still against
  // all items, so that over uniformly drawn samples value and gradient have those of the whole sum as
  // expectation.
  torch::Tensor contrast(const torch::Tensor& items, const torch::Tensor& items_of_tags,
                         const std::vector<std::int32_t>& sample) const;
  torch::Tensor tag_loss(const torch::Tensor& points, const Batch& batch) const;

  HyperLlmOptions options_;
  std::shared_ptr<const models::Backbone> backbone_;
  graph::GraphPtr user_item_;
  std::unique_ptr<Embeddings> embeddings_;
  std::optional<TagTask> tags_;
};

}  // namespace hyperllm::frameworks
