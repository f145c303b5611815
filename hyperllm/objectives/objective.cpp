#include "hyperllm/objectives/objective.h"

#include "hyperllm/manifold/fused.h"

namespace hyperllm::objectives {

using torch::Tensor;

Registry<Objective>& objectives() {
  static Registry<Objective> all = [] {
    Registry<Objective> made("objective");
    add_hinge(made);
    add_hicf(made);
    add_softmax(made);
    add_bpr(made);
    return made;
  }();
  return all;
}

std::vector<std::string> choices() {
  std::vector<std::string> names = objectives().names();
  names.insert(names.begin(), "auto");
  return names;
}

std::unique_ptr<Objective> make_objective(const std::string& name) { return objectives().make(name); }

Tensor lorentz_points(const Tensor& points, const manifold::Space& space) {
  HYPERLLM_CHECK(space.geometry != manifold::Geometry::kEuclidean, ErrorCode::kInvalidArgument,
                 "a Euclidean space has no hyperboloid");
  return space.geometry == manifold::Geometry::kLorentz
             ? points
             : manifold::ball_to_lorentz_rows(points, space.curvature);
}

Tensor steady_sum(const Tensor& values) {
  // LibTorch cuts a long sum by threads, but never a row.
  constexpr std::int64_t kBlock = 4096;
  const std::int64_t padding = (kBlock - values.size(0) % kBlock) % kBlock;
  return torch::constant_pad_nd(values.to(torch::kDouble), {0, padding}).view({-1, kBlock}).sum(1).sum();
}

}  // namespace hyperllm::objectives
