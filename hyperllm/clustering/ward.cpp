#include "hyperllm/clustering/ward.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <string>
#include <utility>

#include "hyperllm/base/error.h"
#include "hyperllm/base/parallel.h"
#include "hyperllm/kernels/squared_distances.h"

namespace hyperllm::clustering {
namespace {

using kernels::PackedPoints;

constexpr std::int64_t kGrain = 32 * PackedPoints::kBlock;  // means that one thread looks at

// The clusters that are not merged yet, as means and sizes side by side.
class Clusters {
 public:
  struct Near {
    double squared = std::numeric_limits<double>::infinity();  // of the height
    std::int32_t id = -1;
  };

  Clusters(std::span<const double> points, std::int64_t dim)
      : means_(points, dim),
        sizes_(static_cast<std::size_t>(means_.size()), 1),
        ids_(sizes_.size()),
        row_(dim) {
    std::iota(ids_.begin(), ids_.end(), 0);
    places_ = ids_;
    nearest_.resize((ids_.size() + kGrain - 1) / kGrain);
  }

  std::int64_t size() const { return means_.size(); }
  bool has(std::int32_t id) const { return places_[static_cast<std::size_t>(id)] >= 0; }

  // Of all but `id` itself; `before` unless another is nearer.
  Near nearest(std::int32_t id, std::int32_t before) {
    const std::int64_t own = place(id);
    means_.copy(own, row_);
    const std::int64_t ranges = (size() + kGrain - 1) / kGrain;
    parallel_ranges(size(), kGrain, [&](std::int64_t first, std::int64_t last) {
      nearest_[static_cast<std::size_t>(first / kGrain)] = nearest_in(own, before, first, last);
    });
    Near best = nearest_[0];
    for (std::int64_t r = 1; r < ranges; ++r)
      if (comes_first(nearest_[static_cast<std::size_t>(r)], best, before))
        best = nearest_[static_cast<std::size_t>(r)];
    return best;
  }

  // The union goes by the greater of the two numbers. Returns its size.
  std::int64_t merge(std::int32_t lesser, std::int32_t greater) {
    const std::int64_t from = place(lesser), to = place(greater);
    const double a = size_at(from), b = size_at(to);
    for (std::int64_t k = 0; k < means_.dim(); ++k)
      means_.set(to, k, (a * means_.at(from, k) + b * means_.at(to, k)) / (a + b));
    sizes_[static_cast<std::size_t>(to)] += sizes_[static_cast<std::size_t>(from)];
    const std::int64_t size = sizes_[static_cast<std::size_t>(to)];
    remove(from);
    return size;
  }

 private:
  std::int64_t place(std::int32_t id) const { return places_[static_cast<std::size_t>(id)]; }
  double size_at(std::int64_t place) const {
    return static_cast<double>(sizes_[static_cast<std::size_t>(place)]);
  }

  static bool comes_first(const Near& a, const Near& b, std::int32_t before) {
    if (a.squared != b.squared) return a.squared < b.squared;
    return b.id != before && (a.id == before || a.id < b.id);
  }

  Near nearest_in(std::int64_t own, std::int32_t before, std::int64_t first, std::int64_t last) const {
    double squared[kGrain];
    kernels::squared_distances(row_.data(), means_, first, last, squared);
    Near best;
    const double a = size_at(own);
    for (std::int64_t i = first; i < last; ++i) {
      const double b = size_at(i);
      const Near near{2 * a * b / (a + b) * squared[i - first], ids_[static_cast<std::size_t>(i)]};
      if (near.squared <= best.squared && i != own && comes_first(near, best, before)) best = near;
    }
    return best;
  }

  void remove(std::int64_t place) {
    const auto at = static_cast<std::size_t>(place);
    places_[static_cast<std::size_t>(ids_[at])] = -1;
    means_.remove(place);
    if (place < means_.size()) {
      sizes_[at] = sizes_.back();
      ids_[at] = ids_.back();
      places_[static_cast<std::size_t>(ids_[at])] = static_cast<std::int32_t>(place);
    }
    sizes_.pop_back();
    ids_.pop_back();
  }

  PackedPoints means_;
  std::vector<std::int64_t> sizes_;   // by place
  std::vector<std::int32_t> ids_;     // by place
  std::vector<std::int32_t> places_;  // by id; -1: merged into another
  std::vector<double> row_;           // the mean that is looked from
  std::vector<Near> nearest_;         // of each range
};

// From the numbers that the chain gave its clusters to SciPy's: by height, each union with a number of its
// own.
std::vector<Merge> in_order(std::vector<Merge> merges) {
  std::stable_sort(merges.begin(), merges.end(),
                   [](const Merge& a, const Merge& b) { return a.height < b.height; });
  const std::size_t points = merges.size() + 1;
  std::vector<std::int32_t> up(2 * points - 1);
  std::iota(up.begin(), up.end(), 0);
  std::vector<std::int64_t> size(up.size(), 1);
  const auto root = [&up](std::int32_t node) {
    std::int32_t top = node;
    while (up[static_cast<std::size_t>(top)] != top) top = up[static_cast<std::size_t>(top)];
    while (node != top) node = std::exchange(up[static_cast<std::size_t>(node)], top);
    return top;
  };
  for (std::size_t i = 0; i < merges.size(); ++i) {
    const auto [lesser, greater] = std::minmax({root(merges[i].left), root(merges[i].right)});
    const std::size_t made = points + i;
    up[static_cast<std::size_t>(lesser)] = up[static_cast<std::size_t>(greater)] =
        static_cast<std::int32_t>(made);
    size[made] = size[static_cast<std::size_t>(lesser)] + size[static_cast<std::size_t>(greater)];
    merges[i].left = lesser;
    merges[i].right = greater;
    merges[i].size = size[made];
  }
  return merges;
}

}  // namespace

std::vector<Merge> ward(std::span<const double> points, std::int64_t dim, const Context& context) {
  HYPERLLM_CHECK(dim >= 1 && std::ssize(points) % dim == 0 && std::ssize(points) >= 2 * dim &&
                     std::ssize(points) / dim < std::numeric_limits<std::int32_t>::max() / 2,
                 ErrorCode::kInvalidArgument,
                 "clustering needs two points at least, as whole rows of numbers");
  HYPERLLM_CHECK(std::all_of(points.begin(), points.end(), [](double value) { return std::isfinite(value); }),
                 ErrorCode::kInvalidArgument, "clustering: a coordinate is not finite");
  Clusters clusters(points, dim);
  Progress progress(context, "cluster", clusters.size() - 1);
  std::vector<Merge> merges;
  std::vector<std::int32_t> chain;
  std::int32_t lowest = 0;
  while (clusters.size() > 1) {
    while (!clusters.has(lowest)) ++lowest;
    if (chain.empty()) chain.push_back(lowest);
    const std::int32_t before = chain.size() > 1 ? chain[chain.size() - 2] : -1;
    const Clusters::Near near = clusters.nearest(chain.back(), before);
    if (near.id != before) {
      chain.push_back(near.id);
      continue;
    }
    const auto [lesser, greater] = std::minmax(chain.back(), before);
    merges.push_back({lesser, greater, std::sqrt(near.squared), clusters.merge(lesser, greater)});
    chain.resize(chain.size() - 2);
    progress.advance();
    if (merges.size() % 256 == 0) context.check_stop("clustering");
  }
  return in_order(std::move(merges));
}

}  // namespace hyperllm::clustering
