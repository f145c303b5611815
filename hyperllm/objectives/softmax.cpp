// -log softmax over all competitors of -d^2 / tau at the positive; candidates and margins are not used. In a
// Euclidean space of <anchor, .> / tau.
#include <algorithm>
#include <numeric>

#include "hyperllm/manifold/fused.h"
#include "hyperllm/objectives/objective.h"

namespace hyperllm::objectives {
namespace {

using torch::Tensor;

// The pairs' positives by anchor: the softmax of an anchor serves all its pairs.
struct Grouped {
  std::vector<std::int32_t> anchor;           // each once, ascending
  std::vector<std::int64_t> first, positive;  // those of anchor i: from first[i] to before first[i + 1]
};

Grouped by_anchor(const Pairs& pairs, std::int64_t first_competitor) {
  std::vector<std::int64_t> order(pairs.size());
  std::iota(order.begin(), order.end(), std::int64_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::int64_t a, std::int64_t b) { return pairs.anchor[a] < pairs.anchor[b]; });
  Grouped grouped;
  for (std::int64_t at : order) {
    const std::int32_t anchor = pairs.anchor[at];
    if (grouped.anchor.empty() || grouped.anchor.back() != anchor) {
      grouped.anchor.push_back(anchor);
      grouped.first.push_back(std::ssize(grouped.positive));
    }
    grouped.positive.push_back(pairs.positive[at] - first_competitor);
  }
  grouped.first.push_back(std::ssize(grouped.positive));
  return grouped;
}

Tensor of_inner_products(const Tensor& anchors, const Tensor& competitors, const Grouped& grouped,
                         double tau) {
  const Tensor logits = torch::mm(anchors, competitors.t()) / tau;
  const Tensor row = torch::arange(logits.size(0)).repeat_interleave(torch::tensor(grouped.first).diff(), 0);
  return steady_sum(torch::logsumexp(logits, 1).index_select(0, row) -
                    logits.index({row, torch::tensor(grouped.positive)}));
}

class Softmax final : public Objective {
 public:
  FieldList fields() override {
    return {{"tau", &tau_, "temperature of the softmax objective", above(0, 1e4)}};
  }
  std::int64_t candidates() const override { return 0; }
  bool meets_all_competitors() const override { return true; }
  std::string optimizer() const override { return "adam"; }

  Tensor loss(const Tensor& points, std::span<const Task> tasks, double,
              const manifold::Space& space) const override {
    Tensor sum;
    for (const Task& task : tasks) {
      const Tensor term = of_task(points, task, space);
      sum = sum.defined() ? sum + term : term;
    }
    return sum;
  }

 private:
  Tensor of_task(const Tensor& points, const Task& task, const manifold::Space& space) const {
    const bool flat = space.geometry == manifold::Geometry::kEuclidean;
    const Grouped grouped = by_anchor(task.pairs, task.competitors.first);
    const std::vector<Tensor> parts = manifold::row_ranges(flat ? points : lorentz_points(points, space),
                                                           {{0, points.size(0)}, task.competitors});
    const Tensor anchors = manifold::gathered_rows(parts[0], grouped.anchor);
    return flat ? of_inner_products(anchors, parts[1], grouped, tau_)
                : manifold::softmax_contrast(anchors, parts[1], grouped.positive, space.curvature, tau_,
                                             grouped.first);
  }

  double tau_ = 1.0;
};

}  // namespace

void add_softmax(Registry<Objective>& to) { to.add("softmax", "over all items, on -d^2/tau", Softmax()); }

}  // namespace hyperllm::objectives
