#include "hyperllm/models/lightgcn.h"

#include "hyperllm/models/euclidean.h"

namespace hyperllm::models {
namespace {

class LightGcn final : public EuclideanBackbone {
 public:
  LightGcn(std::int64_t layers, double reg) : EuclideanBackbone(reg), layers_(layers) {}

  torch::Tensor encode(const torch::Tensor& tangents, const graph::GraphPtr& graph,
                       const Pass&) const override {
    if (layers_ == 0) return tangents;
    return (tangents + graph::propagate_sum(graph->symmetric(), tangents, layers_)) /
           static_cast<double>(layers_ + 1);
  }

 private:
  std::int64_t layers_;
};

struct LightGcnModel final : EuclideanModel {
  std::unique_ptr<Backbone> backbone(const BackboneOptions& options) const override {
    return make_lightgcn(options.layers, reg);
  }
};

}  // namespace

std::unique_ptr<Backbone> make_lightgcn(std::int64_t layers, double reg) {
  return std::make_unique<LightGcn>(layers, reg);
}

void add_lightgcn(Registry<Model>& to) {
  to.add("lightgcn", "backbone: light graph convolution, Euclidean", LightGcnModel());
}

}  // namespace hyperllm::models
