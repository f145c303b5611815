// (6): the margin ranking loss max(d^2(a, p) - d^2(a, n) + margin, 0) against one drawn negative a pair. In a
// Euclidean space, which ranks by inner products, max(<a, n> - <a, p> + margin, 0). Summed, or, as in HGCH's
// own runs (Zhang and Wu, CIKM 2024), divided by the number of terms above 0, over all tasks together.
#include "hyperllm/objectives/hinge.h"

#include "hyperllm/manifold/fused.h"
#include "hyperllm/objectives/objective.h"

namespace hyperllm::objectives {
namespace {

using manifold::HingeOver;
using torch::Tensor;

// All tasks have one margin: their pairs are one list.
manifold::Triplets joined(std::span<const Task> tasks) {
  manifold::Triplets all;
  for (const Task& task : tasks) {
    HYPERLLM_CHECK(task.pairs.per_pair == 1 && task.pairs.candidates.size() == task.pairs.anchor.size(),
                   ErrorCode::kInvalidArgument, "hinge: expected one candidate for each pair");
    all.anchor.insert(all.anchor.end(), task.pairs.anchor.begin(), task.pairs.anchor.end());
    all.positive.insert(all.positive.end(), task.pairs.positive.begin(), task.pairs.positive.end());
    all.negative.insert(all.negative.end(), task.pairs.candidates.begin(), task.pairs.candidates.end());
  }
  return all;
}

class Hinge final : public Objective {
 public:
  FieldList fields() override {
    return {{"mean", &mean_, "divide by the number of active triplets, as HGCH's base runs do"}};
  }
  std::int64_t candidates() const override { return 1; }
  std::string optimizer() const override { return "rsgd"; }

  Tensor loss(const Tensor& points, std::span<const Task> tasks, double margin,
              const manifold::Space& space) const override {
    const HingeOver over = mean_ ? HingeOver::kActive : HingeOver::kAll;
    if (space.geometry == manifold::Geometry::kEuclidean)
      return hinge_on_inner_products(points, joined(tasks), margin, over);
    return manifold::triplet_hinge(lorentz_points(points, space), joined(tasks), margin, space.curvature,
                                   over);
  }

 private:
  bool mean_ = false;
};

}  // namespace

Tensor hinge_on_inner_products(const Tensor& points, const manifold::Triplets& triplets, double margin,
                               HingeOver over) {
  const Tensor anchors = manifold::gathered_rows(points, triplets.anchor),
               apart = manifold::gathered_rows(points, triplets.negative) -
                       manifold::gathered_rows(points, triplets.positive);
  const Tensor terms = torch::relu((anchors * apart).sum(1) + margin), sum = steady_sum(terms);
  return over == HingeOver::kAll ? sum : sum / terms.gt(0).sum().clamp_min(1);
}

void add_hinge(Registry<Objective>& to) { to.add("hinge", "the paper's margin loss", Hinge()); }

}  // namespace hyperllm::objectives
