#include "hyperllm/clustering/dendrogram.h"

#include <algorithm>

namespace hyperllm::clustering {
namespace {

constexpr int kColours = 9;

class Drawing {
 public:
  Drawing(std::span<const Merge> merges, std::int64_t leaves)
      : merges_(merges), points_(std::ssize(merges) + 1), first_drawn_(2 * points_ - leaves) {
    result_.threshold = 0.7 * merges.back().height;
  }

  Dendrogram draw() {
    top_of(static_cast<std::int32_t>(2 * points_ - 2));
    return std::move(result_);
  }

 private:
  struct Top {
    double x, y;
  };

  // As deep as there are leaves to draw.
  Top top_of(std::int32_t node) {
    if (node < points_ || node < first_drawn_) {
      const std::int64_t count = node < points_ ? 1 : merge(node).size;
      const double x = 5 + 10 * static_cast<double>(result_.leaves.size());
      result_.leaves.push_back({x, node, count});
      return {x, 0};
    }
    const double height = merge(node).height;
    const Top left = top_of(merge(node).left);
    Link link;
    link.colour = colour_at(height);
    const Top right = top_of(merge(node).right);
    const double xs[4] = {left.x, left.x, right.x, right.x}, ys[4] = {left.y, height, height, right.y};
    std::copy_n(xs, 4, link.x);
    std::copy_n(ys, 4, link.y);
    result_.links.push_back(link);
    return {(left.x + right.x) / 2, height};
  }

  // Between its left and its right side: a merge above the threshold ends the colour of what lies left of it.
  int colour_at(double height) {
    if (height < result_.threshold) {
      below_ = true;
      return colour_ + 1;
    }
    if (below_) colour_ = (colour_ + 1) % kColours;
    below_ = false;
    return 0;
  }

  const Merge& merge(std::int32_t node) const { return merges_[static_cast<std::size_t>(node - points_)]; }

  std::span<const Merge> merges_;
  std::int64_t points_, first_drawn_;
  int colour_ = 0;
  bool below_ = false;
  Dendrogram result_;
};

}  // namespace

LeafOrder leaf_order(std::span<const Merge> merges) {
  const std::int64_t points = std::ssize(merges) + 1;
  LeafOrder order;
  order.points.reserve(static_cast<std::size_t>(points));
  // Nodes still to come, each with the height of the merge between it and what lies left of it.
  std::vector<std::pair<std::int32_t, double>> open = {{static_cast<std::int32_t>(2 * points - 2), 0}};
  while (!open.empty()) {
    const auto [node, gap] = open.back();
    open.pop_back();
    if (node < points) {
      if (!order.points.empty()) order.gaps.push_back(gap);
      order.points.push_back(node);
      continue;
    }
    const Merge& merge = merges[static_cast<std::size_t>(node - points)];
    open.emplace_back(merge.right, merge.height);
    open.emplace_back(merge.left, gap);
  }
  return order;
}

Dendrogram dendrogram(std::span<const Merge> merges, std::int64_t leaves) {
  return Drawing(merges, leaves).draw();
}

}  // namespace hyperllm::clustering
