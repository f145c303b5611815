#include "hyperllm/models/backbone.h"

#include <cmath>

#include "hyperllm/manifold/fused.h"

namespace hyperllm::models {

using torch::Tensor;

Tensor Backbone::auxiliary_loss(const Encoded&, const Pass&) const { return {}; }

std::int64_t Backbone::auxiliary_bytes(const Nodes&, std::int64_t, std::int64_t) const { return 0; }

Tensor Backbone::initial_tangents(const Nodes& nodes, const graph::Graph&, std::int64_t dim, double scale,
                                  Random random) const {
  return uniform_tangents(nodes.users + nodes.items, dim, scale, random);
}

double saturation(const Tensor& points, const Space& space, double cap) {
  if (std::isinf(cap)) return 0;
  const double scale = std::sqrt(space.curvature.c);
  const double norm = space.geometry == Geometry::kLorentz    ? std::sinh(scale * cap) / scale
                      : space.geometry == Geometry::kPoincare ? std::tanh(scale * cap / 2) / scale
                                                              : cap;
  return points.norm(2, -1).ge(norm * (1 - 1e-5)).to(torch::kDouble).mean().item<double>();
}

Tensor uniform_tangents(std::int64_t rows, std::int64_t dim, double scale, Random random) {
  Tensor values = torch::empty({rows, dim});
  for (float& value : manifold::floats(values)) value = static_cast<float>(random.uniform(-scale, scale));
  return values;
}

}  // namespace hyperllm::models
