// BPR (Rendle et al., UAI 2009): softplus(s(a, n) - s(a, p)) against one drawn negative a pair. s is the
// inner product in a Euclidean space and -d^2 in the others: what each ranks by, and smooth at d = 0. No
// margin. Sums where LightGCN's code takes the mean, as all objectives here do.
#include <array>

#include "hyperllm/manifold/lorentz.h"
#include "hyperllm/objectives/objective.h"

namespace hyperllm::objectives {
namespace {

using torch::Tensor;

// Anchors, positives and negatives: gathered together, so that their gradients are one table.
std::array<Tensor, 3> rows_of(const Tensor& points, const Pairs& pairs) {
  HYPERLLM_CHECK(pairs.per_pair == 1 && pairs.candidates.size() == pairs.anchor.size(),
                 ErrorCode::kInvalidArgument, "bpr: expected one candidate for each pair");
  std::vector<std::int32_t> ids = pairs.anchor;
  ids.insert(ids.end(), pairs.positive.begin(), pairs.positive.end());
  ids.insert(ids.end(), pairs.candidates.begin(), pairs.candidates.end());
  const std::int64_t count = pairs.size();
  const std::vector<Tensor> parts = manifold::row_ranges(manifold::gathered_rows(points, ids),
                                                         {{0, count}, {count, count}, {2 * count, count}});
  return {parts[0], parts[1], parts[2]};
}

Tensor of_pairs(const Tensor& points, const Pairs& pairs, const manifold::Space& space) {
  const auto [anchors, positives, negatives] = rows_of(points, pairs);
  if (space.geometry == manifold::Geometry::kEuclidean)
    return steady_sum(-torch::log_sigmoid((anchors * (positives - negatives)).sum(1)));
  const manifold::Lorentz lorentz(space.curvature);
  const Tensor from = lorentz_points(anchors, space);
  return steady_sum(-torch::log_sigmoid(lorentz.dist2(from, lorentz_points(negatives, space)) -
                                        lorentz.dist2(from, lorentz_points(positives, space))));
}

class Bpr final : public Objective {
 public:
  std::int64_t candidates() const override { return 1; }
  std::string optimizer() const override { return "adam"; }

  Tensor loss(const Tensor& points, std::span<const Task> tasks, double,
              const manifold::Space& space) const override {
    Tensor sum;
    for (const Task& task : tasks) {
      const Tensor term = of_pairs(points, task.pairs, space);
      sum = sum.defined() ? sum + term : term;
    }
    return sum;
  }
};

}  // namespace

void add_bpr(Registry<Objective>& to) { to.add("bpr", "Bayesian personalised ranking", Bpr()); }

}  // namespace hyperllm::objectives
