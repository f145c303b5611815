// Backbones that use what HGCF leaves unused: other geometries, weights, options and losses of their own,
// randomness.
#pragma once

#include "hyperllm/manifold/fused.h"
#include "hyperllm/models/model.h"

namespace hyperllm::test {

using models::BackboneOptions;
using models::Geometry;
using models::Pass;
using models::Space;
using torch::Tensor;

struct WithOptions : models::Backbone {
  explicit WithOptions(const BackboneOptions& with) : options(with) {}
  Tensor layers(const Tensor& tangents, const graph::GraphPtr& graph) const {
    return graph::propagate_sum(graph, tangents, options.layers);
  }
  BackboneOptions options;
};

// HGCF's sum of layers, in the Poincare ball.
struct Ball final : WithOptions {
  using WithOptions::WithOptions;
  Space space() const override { return {Geometry::kPoincare, options.curvature}; }
  double cap() const override { return 2 * options.max_radius; }
  Tensor encode(const Tensor& tangents, const graph::GraphPtr& graph, const Pass&) const override {
    return manifold::ball_expmap0_rows(layers(tangents, graph), options.curvature, options.max_radius);
  }
};

// Ranked by inner products.
struct Flat final : WithOptions {
  using WithOptions::WithOptions;
  Space space() const override { return {Geometry::kEuclidean}; }
  Tensor encode(const Tensor& tangents, const graph::GraphPtr& graph, const Pass&) const override {
    return layers(tangents, graph) / static_cast<double>(options.layers);
  }
};

// HGCF with a learnt factor on the tangents, a penalty on long ones, and nodes that are dropped in training.
class Gated final : public WithOptions {
 public:
  Gated(const BackboneOptions& with, double penalty, double drop)
      : WithOptions(with),
        penalty_(penalty),
        drop_(drop),
        gate_(torch::zeros({1}, torch::requires_grad(true))) {}

  Space space() const override { return {Geometry::kLorentz, options.curvature}; }
  double cap() const override { return options.max_radius; }
  std::vector<optim::Parameter> parameters() const override { return {{"gated.gate", gate_}}; }

  Tensor encode(const Tensor& tangents, const graph::GraphPtr& graph, const Pass& pass) const override {
    Tensor kept = tangents;
    if (pass.training && drop_ > 0) {
      Random random = pass.random("gated nodes of " + std::to_string(graph->nodes()));
      Tensor mask = torch::empty({tangents.size(0), 1});
      for (float& row : manifold::floats(mask)) row = random.uniform() < drop_ ? 0.0F : 1.0F;
      kept = tangents * mask;
    }
    return manifold::expmap0_rows(layers(kept, graph) * gate_.exp(), options.curvature, options.max_radius);
  }

  Tensor auxiliary_loss(const models::Encoded& encoded, const Pass&) const override {
    if (penalty_ == 0) return {};
    return penalty_ * objectives::steady_sum(encoded.points.square().sum(1));
  }

 private:
  double penalty_, drop_;
  Tensor gate_;
};

// Its options become gated_penalty and gated_drop.
struct GatedModel final : models::Model {
  double penalty = 0.01, drop = 0.1;
  FieldList fields() override {
    return {{"penalty", &penalty, "of squared space coordinates", within(0, 100)},
            {"drop", &drop, "share of nodes dropped in a step", within(0, 0.9)}};
  }
  std::unique_ptr<models::Backbone> backbone(const BackboneOptions& shared) const override {
    return std::make_unique<Gated>(shared, penalty, drop);
  }
};

inline void add_planted_backbones() {
  models::add_backbone("ball", "test", [](const auto& options) { return std::make_unique<Ball>(options); });
  models::add_backbone("flat", "test", [](const auto& options) { return std::make_unique<Flat>(options); });
  models::models().add("gated", "test", GatedModel());
}

}  // namespace hyperllm::test
