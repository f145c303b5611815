#include "hyperllm/frameworks/column_start.h"

#include <algorithm>

namespace hyperllm::frameworks {

using torch::Tensor;

Tensor column_start(const Tensor& semantic, const Tensor& random, const models::Nodes& nodes,
                    const StartDistances& distances, const models::Space& space) {
  const std::int64_t columns = std::min(semantic.size(1), random.size(1));
  // The ball's exponential map takes a tangent vector at the origin twice its length away.
  const double per_distance = space.geometry == models::Geometry::kPoincare ? 0.5 : 1;
  const Tensor lengths = torch::cat({torch::full({nodes.users, 1}, distances.users * per_distance),
                                     torch::full({nodes.items, 1}, distances.items * per_distance)});
  const Tensor followed = semantic.narrow(1, 0, columns), norms = followed.norm(2, 1, true);
  const Tensor kept = random.narrow(1, 0, columns);
  const Tensor start = torch::where(norms > 0, followed / norms * lengths, kept);
  return torch::cat({start, random.narrow(1, columns, random.size(1) - columns)}, 1);
}

}  // namespace hyperllm::frameworks
