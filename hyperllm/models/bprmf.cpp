// Matrix factorisation (Rendle et al., UAI 2009): the score is the inner product of ID embeddings, without a
// graph.
#include "hyperllm/models/euclidean.h"

namespace hyperllm::models {
namespace {

struct BprMf final : EuclideanBackbone {
  using EuclideanBackbone::EuclideanBackbone;
  torch::Tensor encode(const torch::Tensor& tangents, const graph::GraphPtr&, const Pass&) const override {
    return tangents;
  }
};

struct BprMfModel final : EuclideanModel {
  std::unique_ptr<Backbone> backbone(const BackboneOptions&) const override {
    return std::make_unique<BprMf>(reg);
  }
};

}  // namespace

void add_bprmf(Registry<Model>& to) {
  to.add("bprmf", "backbone: matrix factorisation, Euclidean, without a graph", BprMfModel());
}

}  // namespace hyperllm::models
