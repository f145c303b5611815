#include "examples/mean_layers.h"

#include <cmath>

namespace examples {
namespace {

namespace graph = hyperllm::graph;
namespace manifold = hyperllm::manifold;
using hyperllm::models::Backbone;
using hyperllm::models::BackboneOptions;

class MeanLayers : public Backbone {
 public:
  explicit MeanLayers(const BackboneOptions& options) : options_(options) {}

  torch::Tensor encode(const torch::Tensor& tangents, const graph::GraphPtr& graph) const override {
    const torch::Tensor layers = tangents + graph::propagate_sum(graph, tangents, options_.layers);
    return manifold::expmap0_rows(layers / static_cast<double>(options_.layers + 1), options_.curvature,
                                  options_.max_radius);
  }

  torch::Tensor ranking_loss(const torch::Tensor& points, const manifold::Triplets& triplets,
                             double margin) const override {
    return manifold::triplet_hinge(points, triplets, margin, options_.curvature);
  }

  double saturation(const torch::Tensor& points) const override {
    if (std::isinf(options_.max_radius)) return 0;
    const double scale = std::sqrt(options_.curvature.c);
    const double cap = std::sinh(scale * options_.max_radius) / scale;
    return points.norm(2, -1).ge(cap * (1 - 1e-5)).to(torch::kDouble).mean().item<double>();
  }

  manifold::Curvature curvature() const override { return options_.curvature; }

 private:
  BackboneOptions options_;
};

}  // namespace

std::unique_ptr<Backbone> make_mean_layers(const BackboneOptions& options) {
  return std::make_unique<MeanLayers>(options);
}

}  // namespace examples
