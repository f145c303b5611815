#include "hyperllm/models/hgcf.h"

#include "hyperllm/manifold/fused.h"
#include "hyperllm/models/model.h"

namespace hyperllm::models {
namespace {

class Hgcf final : public Backbone {
 public:
  explicit Hgcf(const BackboneOptions& options) : options_(options) {}

  Space space() const override { return {Geometry::kLorentz, options_.curvature}; }
  double cap() const override { return options_.max_radius; }

  torch::Tensor encode(const torch::Tensor& tangents, const graph::GraphPtr& graph,
                       const Pass&) const override {
    return manifold::expmap0_rows(graph::propagate_sum(graph, tangents, options_.layers), options_.curvature,
                                  options_.max_radius);
  }

 private:
  BackboneOptions options_;
};

struct HgcfModel : Model {
  std::unique_ptr<Backbone> backbone(const BackboneOptions& options) const override {
    return make_hgcf(options);
  }
};

}  // namespace

std::unique_ptr<Backbone> make_hgcf(const BackboneOptions& options) {
  return std::make_unique<Hgcf>(options);
}

void add_hgcf(Registry<Model>& to) { to.add("hgcf", "backbone: hyperbolic graph convolution", HgcfModel()); }

}  // namespace hyperllm::models
