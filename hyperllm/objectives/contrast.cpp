#include "hyperllm/objectives/contrast.h"

#include "hyperllm/manifold/fused.h"
#include "hyperllm/objectives/objective.h"

namespace hyperllm::objectives {

using torch::Tensor;

Tensor contrast(const Tensor& x, const Tensor& y, const std::vector<std::int64_t>& target, double tau,
                const manifold::Space& space) {
  if (space.geometry != manifold::Geometry::kEuclidean)
    return manifold::softmax_contrast(lorentz_points(x, space), lorentz_points(y, space), target,
                                      space.curvature, tau);
  // |x|^2 is the same for all columns of a row: it cancels.
  const Tensor logits = (2 * torch::mm(x, y.t()) - y.square().sum(1)) / tau;
  return steady_sum(torch::logsumexp(logits, 1) -
                    logits.gather(1, torch::tensor(target).unsqueeze(1)).squeeze(1));
}

}  // namespace hyperllm::objectives
