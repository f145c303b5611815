// The HyperLLM framework (section 4 of the paper) around any backbone.
//
// One class serves both phases and every variant (hyperllm_method.h has the table):
//   phase    section   embeddings                                    tags   loss
//   1        4.2       mixture of experts                            no     L_meta (11)
//   2        4.3       table that starts at phase 1's output (12)    yes    L_ui + L_tag + w L_cl (15)
#pragma once

#include <torch/types.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "hyperllm/data/tags.h"
#include "hyperllm/frameworks/embeddings.h"
#include "hyperllm/frameworks/framework.h"

namespace hyperllm::frameworks {

struct TagTask {
  graph::GraphPtr graph;                       // I^tag: items, then tags
  std::shared_ptr<const data::TagGraph> tags;  // what the graph was made of; samples are drawn from it
  std::unique_ptr<Embeddings> embeddings;      // e_t, tags x dim
  double margin = 0.9;                         // m3
  double loss_weight = 1;                      // of L_tag
  double contrast_weight = 0.01;               // w
  double contrast_tau = 0.5;                   // tau of (16)
  std::int64_t contrast_rows = 0;              // items drawn for a step's (16); 0: all
};

// What HyperLLM draws: pairs user-item, and with tags tag-item and tag-tag, and the rows of the contrast.
// `candidates`: negatives a pair. tags: null for none.
Draws hyperllm_draws(std::shared_ptr<const data::Csr> train, const data::TagGraph* tags,
                     std::int64_t candidates = 1, std::int64_t contrast_rows = 0);

class HyperLlm final : public Framework {
 public:
  // `embeddings`: users then items. `train` serves draws() and may be null where they are not asked for.
  HyperLlm(UserItemTask task, std::shared_ptr<const data::Csr> train, std::unique_ptr<Embeddings> embeddings,
           std::optional<TagTask> tags);

  Draws draws() const override;
  std::vector<optim::Parameter> parameters() const override;
  void parameters_changed() override;
  // (11) or (15): a sum over the batch, and over all items for the contrast.
  torch::Tensor loss(const Batch& batch, const models::Pass& pass) const override;
  Representations representations() const override;
  std::string first_non_finite() const override;

  // The users' and items' tangent embeddings as they stand: x of (12), detached.
  torch::Tensor tangents() const;

 private:
  // (16). With a sample of m of the items: (items / m) times the sum over the sample, each term still against
  // all items, so that over uniformly drawn samples value and gradient have those of the whole sum as
  // expectation.
  torch::Tensor contrast(const torch::Tensor& items, const torch::Tensor& items_of_tags,
                         const std::vector<std::int32_t>& sample) const;
  torch::Tensor tag_loss(const torch::Tensor& points, const Batch& batch) const;

  UserItemTask task_;
  std::shared_ptr<const data::Csr> train_;
  std::unique_ptr<Embeddings> embeddings_;
  std::optional<TagTask> tags_;
};

}  // namespace hyperllm::frameworks
