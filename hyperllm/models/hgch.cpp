// HGCH: hyperbolic graph collaborative heterogeneous networks (Zhang and Wu, CIKM 2024), on one graph.
//
// v_0: tangent vectors of the Poincare ball at the origin. v_l = logmap0(gyromidpoint over A of
// expmap0(v_{l-1})), the midpoint clipped to norm 0.996 / sqrt(c); v = v_1 + ... + v_L; h = expmap0(v). Adam
// steps v_0. The run's max_radius counts for nothing: published runs meet margins that no point within the
// paper's cap of 1.5 could meet.
#include <cmath>

#include "hyperllm/manifold/fused.h"
#include "hyperllm/manifold/reference.h"
#include "hyperllm/models/model.h"

namespace hyperllm::models {
namespace {

using torch::Tensor;

// In units of 1 / sqrt(c). kClip is HGCH's own; the others keep floats in range, beyond what is trained:
// float32 puts points with |v| above kRim on the boundary of the ball (three clipped layers add up to 9.3),
// and nodes further out than kFarthest count in a midpoint as if they were there (it is clipped anyway).
constexpr double kClip = 0.996, kRim = 8, kFarthest = 40;

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
  // Tangents to tangents. The gyromidpoint is the Lorentz centroid: the ball's expmap0(v) lies at the
  // hyperboloid's expmap0(2 v), the midpoint on the ray of the weighted sum s of such points, and a ray is
  // told by its Klein coordinates, space over time. Nothing has to be normalised by <s, s>, which cancels;
  // in float32 the Klein norm still leaves but three digits of a distance where midpoints are clipped.
  Tensor midpoints(const Tensor& tangents, const graph::GraphPtr& graph) const {
    const Tensor x = manifold::expmap0_rows(2 * tangents, curvature_, kFarthest / scale_);
    const Tensor time = torch::sqrt(1 / curvature_.c + manifold::row_dot(x, x));
    const Tensor s = graph::propagate_sum(graph, torch::cat({time, x}, 1), 1);
    const Tensor klein = s.narrow(1, 1, x.size(1)) / s.narrow(1, 0, 1);  // of norm tanh(2 |v|)
    constexpr double kKleinClip = 2 * kClip / (1 + kClip * kClip);
    const Tensor norm = manifold::safe_norm(klein);
    const Tensor clipped = norm.clamp_max(kKleinClip) / norm * klein;
    return manifold::ball_logmap0_rows(clipped, manifold::Curvature(1)) * (0.5 / scale_);
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
  to.add("hgch", "backbone: midpoints in the Poincare ball; max_radius counts for nothing", HgchModel());
}

}  // namespace hyperllm::models
