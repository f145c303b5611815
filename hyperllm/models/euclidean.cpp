#include "hyperllm/models/euclidean.h"

#include "hyperllm/manifold/fused.h"

namespace hyperllm::models {

using torch::Tensor;

Tensor EuclideanBackbone::auxiliary_loss(const Encoded& encoded, const Pass&) const {
  if (reg_ == 0) return {};
  const objectives::Pairs& pairs = encoded.pairs;
  std::vector<std::int32_t> ids = pairs.anchor;
  ids.insert(ids.end(), pairs.positive.begin(), pairs.positive.end());
  ids.insert(ids.end(), pairs.candidates.begin(), pairs.candidates.end());
  const Tensor rows = manifold::gathered_rows(encoded.tangents, ids);
  return reg_ / 2 * objectives::steady_sum(rows.square().sum(1));
}

std::int64_t EuclideanBackbone::auxiliary_bytes(const Nodes& nodes, std::int64_t dim,
                                                std::int64_t pairs) const {
  if (reg_ == 0) return 0;
  // Of each row of a triplet: itself, its square, its gradient. And the gradient of all nodes.
  return 4 * dim * (3 * 3 * pairs + nodes.users + nodes.items);
}

Tensor EuclideanBackbone::initial_tangents(const Nodes& nodes, const graph::Graph&, std::int64_t dim,
                                           double scale, Random random) const {
  Tensor values = torch::empty({nodes.users + nodes.items, dim});
  for (float& value : manifold::floats(values)) value = static_cast<float>(scale * random.normal());
  return values;
}

}  // namespace hyperllm::models
