// HGCH: hyperbolic graph collaborative heterogeneous networks (Zhang and Wu, CIKM 2024), on one graph.
//
// v_0: tangent vectors of the Poincare ball at the origin. v_l = logmap0(gyromidpoint over A of
// expmap0(v_{l-1})), the midpoint clipped to norm 0.996 / sqrt(c); v = v_1 + ... + v_L; h = expmap0(v). Adam
// steps v_0. The run's max_radius counts for nothing: published runs meet margins that no point within the
// paper's cap of 1.5 could meet.
#include <cmath>

#include "hyperllm/manifold/fused.h"
#include "hyperllm/models/model.h"

namespace hyperllm::models {
namespace {

using torch::Tensor;

// In units of 1 / sqrt(c). kClip is HGCH's own; the others keep floats in range, beyond what is trained:
// float32 puts points with |v| above kRim on the boundary of the ball (three clipped layers add up to 9.3),
// and nodes further out than kFarthest count in a midpoint as if they were there (it is clipped anyway).
constexpr double kClip = 0.996, kRim = 8, kFarthest = 20;

class Hgch final : public Backbone {
 public:
  explicit Hgch(const BackboneOptions& options)
      : layers_(options.layers), curvature_(options.curvature), scale_(std::sqrt(curvature_.c)) {}

  Space space() const override { return {Geometry::kPoincare, curvature_}; }

  Tensor encode(const Tensor& tangents, const graph::GraphPtr& graph, const Pass&) const override {
    Tensor layer = midpoints(tangents, graph), sum = layer;
    for (std::int64_t l = 1; l < layers_; ++l) {
      layer = midpoints(layer, graph);
      sum = sum + layer;
    }
    return manifold::ball_expmap0_rows(sum, curvature_, kRim / scale_);
  }

 private:
  // Tangents to tangents.
  Tensor midpoints(const Tensor& tangents, const graph::GraphPtr& graph) const {
    const Tensor points = manifold::lift_rows(tangents, curvature_, kFarthest / scale_);
    return manifold::midpoint_tangent_rows(graph::propagate_sum(graph, points, 1), curvature_,
                                           std::atanh(kClip) / scale_);
  }

  std::int64_t layers_;
  manifold::Curvature curvature_;
  double scale_;
};

struct HgchModel : Model {
  std::unique_ptr<Backbone> backbone(const BackboneOptions& options) const override {
    return std::make_unique<Hgch>(options);
  }
  std::string optimizer() const override { return "adam"; }
};

}  // namespace

void add_hgch(Registry<Model>& to) {
  to.add("hgch", "backbone: midpoints in the Poincare ball; max_radius has no effect", HgchModel());
}

}  // namespace hyperllm::models
