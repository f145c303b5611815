// What LightGCN and matrix factorisation share: how they start, their penalty, and what they are trained
// with.
#pragma once

#include "hyperllm/models/model.h"

namespace hyperllm::models {

// Embeddings in a Euclidean space, ranked by inner products: no cap, no curvature.
class EuclideanBackbone : public Backbone {
 public:
  explicit EuclideanBackbone(double reg) : reg_(reg) {}

  Space space() const override { return {Geometry::kEuclidean}; }

  // reg / 2 * (|e_a|^2 + |e_p|^2 + sum over candidates |e_n|^2), e the ID embeddings (layer 0), summed over
  // the step's pairs: a node counts as often as it stands in one. LightGCN's code divides this sum and BPR's
  // by the batch size; here neither is divided, so that reg means the same. reg >= 0; 0: none.
  torch::Tensor auxiliary_loss(const Encoded& encoded, const Pass& pass) const override;
  std::int64_t auxiliary_bytes(const Nodes& nodes, std::int64_t dim, std::int64_t pairs) const override;

  // Normal, of standard deviation `scale`.
  torch::Tensor initial_tangents(const Nodes& nodes, const graph::Graph& graph, std::int64_t dim,
                                 double scale, Random random) const override;

 private:
  double reg_;
};

// The option of its penalty; trained with BPR and Adam.
struct EuclideanModel : Model {
  double reg = 1e-4;
  FieldList fields() override {
    return {{"reg", &reg, "penalty on the squared ID embeddings of a step's pairs", within(0, 1e4)}};
  }
  std::string objective() const override { return "bpr"; }
  std::string optimizer() const override { return "adam"; }
};

}  // namespace hyperllm::models
