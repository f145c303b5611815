#include "examples/mean_layers.h"

#include "hyperllm/manifold/fused.h"

namespace examples {
namespace {

namespace graph = hyperllm::graph;
namespace manifold = hyperllm::manifold;
namespace models = hyperllm::models;

class MeanLayers : public models::Backbone {
 public:
  explicit MeanLayers(const models::BackboneOptions& options) : options_(options) {}

  models::Space space() const override { return {models::Geometry::kLorentz, options_.curvature}; }
  double cap() const override { return options_.max_radius; }

  torch::Tensor encode(const torch::Tensor& tangents, const graph::GraphPtr& graph,
                       const models::Pass&) const override {
    const torch::Tensor layers = tangents + graph::propagate_sum(graph, tangents, options_.layers);
    return manifold::expmap0_rows(layers / static_cast<double>(options_.layers + 1), options_.curvature,
                                  options_.max_radius);
  }

 private:
  models::BackboneOptions options_;
};

}  // namespace

std::unique_ptr<models::Backbone> make_mean_layers(const models::BackboneOptions& options) {
  return std::make_unique<MeanLayers>(options);
}

}  // namespace examples
