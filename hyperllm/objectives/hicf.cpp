// HICF (Yang et al., KDD 2022): of the negatives drawn for a pair the one nearest to the positive, and a margin
// that is wide for pairs far from the origin and near each other:
//
//   max(d^2(a, p) - d^2(a, n) + m sigmoid(delta), 0),  delta = (a0 + p0 - 1 + <a, p>_L) / (a0 p0)
//
// on the unit hyperboloid; gradients flow through the sigmoid, not through the choice.
//
// A Euclidean space ranks by inner products and has no times: there it is what is left as the curvature goes
// to 0. Times become 1, so the nearest negative is that of the vectors themselves, and delta becomes 0, so the
// margin of every pair is m / 2.
#include "hyperllm/kernels/nearest_candidate.h"
#include "hyperllm/manifold/fused.h"
#include "hyperllm/objectives/hinge.h"
#include "hyperllm/objectives/objective.h"

namespace hyperllm::objectives {
namespace {

using torch::Tensor;

// All tasks have one margin: their pairs are one list.
manifold::Triplets nearest(const Tensor& points, std::span<const Task> tasks, double curvature) {
  const Tensor h = points.detach().contiguous();
  manifold::Triplets all;
  for (const Task& task : tasks) {
    const Pairs& pairs = task.pairs;
    HYPERLLM_CHECK(pairs.per_pair >= 1 && std::ssize(pairs.candidates) == pairs.size() * pairs.per_pair,
                   ErrorCode::kInvalidArgument, "hicf: expected at least one candidate for each pair");
    all.anchor.insert(all.anchor.end(), pairs.anchor.begin(), pairs.anchor.end());
    all.positive.insert(all.positive.end(), pairs.positive.begin(), pairs.positive.end());
    const std::size_t before = all.negative.size();
    all.negative.resize(before + pairs.anchor.size());
    const auto choose = [&](const auto* rows) {
      kernels::nearest_candidates(std::span(rows, static_cast<std::size_t>(h.numel())), h.size(1), curvature,
                                  pairs.positive, pairs.candidates, pairs.per_pair,
                                  std::span(all.negative).subspan(before));
    };
    if (h.scalar_type() == torch::kFloat)
      choose(h.data_ptr<float>());
    else
      choose(h.data_ptr<double>());
  }
  return all;
}

class Hicf final : public Objective {
 public:
  FieldList fields() override {
    return {{"negatives", &negatives_, "drawn for each pair; the one nearest to the positive counts",
             within(1, 1024)},
            {"adaptive_margin", &adaptive_margin_,
             "margins of pairs follow their place in space; otherwise all are the margin itself"}};
  }
  std::int64_t candidates() const override { return negatives_; }
  std::string optimizer() const override { return "rsgd"; }

  Tensor loss(const Tensor& points, std::span<const Task> tasks, double margin,
              const manifold::Space& space) const override {
    if (space.geometry == manifold::Geometry::kEuclidean) {
      // As flat as makes all times equal.
      constexpr double kFlat = 1e-300;
      return hinge_on_inner_products(points, nearest(points, tasks, kFlat),
                                     adaptive_margin_ ? margin / 2 : margin);
    }
    const Tensor h = lorentz_points(points, space);
    return manifold::triplet_hinge(h, nearest(h, tasks, space.curvature.c), {margin, adaptive_margin_},
                                   space.curvature);
  }

 private:
  std::int64_t negatives_ = 3;
  bool adaptive_margin_ = true;
};

}  // namespace

void add_hicf(Registry<Objective>& to) {
  to.add("hicf", "HICF's, on the nearest of several negatives", Hicf());
}

}  // namespace hyperllm::objectives
