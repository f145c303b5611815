#include "hyperllm/clustering/agreement.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>
#include <vector>

#include "hyperllm/base/parallel.h"
#include "hyperllm/clustering/dendrogram.h"
#include "hyperllm/kernels/squared_distances.h"

namespace hyperllm::clustering {
namespace {

using kernels::PackedPoints;

constexpr std::int64_t kRows = 64;         // of a block of pairs
constexpr std::int64_t kStretch = 1 << 9;  // distances at once

struct Sums {
  double count = 0, x = 0, y = 0, xx = 0, yy = 0, xy = 0;
  void operator+=(const Sums& other) {
    count += other.count;
    x += other.x;
    y += other.y;
    xx += other.xx;
    yy += other.yy;
    xy += other.xy;
  }
};

// Of the pairs of the point at `place` with all behind it.
Sums row_sums(const PackedPoints& points, const std::vector<double>& gaps, std::int64_t place) {
  std::vector<double> row(static_cast<std::size_t>(points.dim()));
  points.copy(place, row);
  double squared[kStretch], joined = 0;
  Sums sums;
  const std::int64_t begin = (place + 1) / PackedPoints::kBlock * PackedPoints::kBlock;
  for (std::int64_t first = begin; first < points.size(); first += kStretch) {
    const std::int64_t last = std::min(first + kStretch, points.size());
    kernels::squared_distances(row.data(), points, first, last, squared);
    Sums part;
    for (std::int64_t i = std::max(first, place + 1); i < last; ++i) {
      joined = std::max(joined, gaps[static_cast<std::size_t>(i - 1)]);
      const double distance = std::sqrt(squared[i - first]);
      part += {1, distance, joined, distance * distance, joined * joined, distance * joined};
    }
    sums += part;
  }
  return sums;
}

// A label's points in a cluster.
using Counts = std::map<std::int32_t, std::int64_t>;

// Pairs of a label, sums over the clusters that join them.
struct Joined {
  double pairs = 0, shares = 0, sizes = 0;
};

// All pairs of points: of the clusters that join them, the mean of 1 / size and of size.
struct Tree {
  double share = 0, size = 0;
};

Tree over_all_pairs(std::span<const Merge> merges) {
  const std::int64_t points = std::ssize(merges) + 1;
  const auto size_of = [&](std::int32_t node) {
    return node < points ? 1.0 : static_cast<double>(merges[static_cast<std::size_t>(node - points)].size);
  };
  const double pairs = static_cast<double>(points) * static_cast<double>(points - 1) / 2;
  Tree tree;
  for (const Merge& merge : merges) {
    const double joined = size_of(merge.left) * size_of(merge.right), size = static_cast<double>(merge.size);
    tree.share += joined / size / pairs;
    tree.size += joined * size / pairs;
  }
  return tree;
}

std::vector<Joined> joined_by_label(std::span<const Merge> merges, const data::Csr& labels) {
  const std::int64_t points = std::ssize(merges) + 1;
  std::vector<Counts> counts(static_cast<std::size_t>(2 * points - 1));
  for (std::int64_t point = 0; point < points; ++point)
    for (const std::int32_t label : labels.row(point)) counts[static_cast<std::size_t>(point)][label] = 1;
  std::vector<Joined> joined(static_cast<std::size_t>(labels.cols));
  for (std::size_t i = 0; i < merges.size(); ++i) {
    const auto size = static_cast<double>(merges[i].size);
    Counts fewer = std::move(counts[static_cast<std::size_t>(merges[i].left)]);
    Counts more = std::move(counts[static_cast<std::size_t>(merges[i].right)]);
    if (fewer.size() > more.size()) std::swap(fewer, more);
    for (const auto& [label, count] : fewer) {
      std::int64_t& other = more[label];
      const auto pairs = static_cast<double>(count) * static_cast<double>(other);
      Joined& of = joined[static_cast<std::size_t>(label)];
      of.pairs += pairs;
      of.shares += pairs * static_cast<double>(count + other) / size;
      of.sizes += pairs * size;
      other += count;
    }
    counts[static_cast<std::size_t>(points) + i] = std::move(more);
  }
  return joined;
}

}  // namespace

double cophenetic_correlation(std::span<const double> points, std::int64_t dim, std::span<const Merge> merges,
                              const Context& context) {
  const LeafOrder order = leaf_order(merges);
  std::vector<double> rows;
  rows.reserve(points.size());
  for (const std::int32_t point : order.points) {
    const auto row = points.subspan(static_cast<std::size_t>(point * dim), static_cast<std::size_t>(dim));
    rows.insert(rows.end(), row.begin(), row.end());
  }
  const PackedPoints packed(rows, dim);
  std::vector<Sums> blocks(static_cast<std::size_t>((packed.size() + kRows - 1) / kRows));
  parallel_ranges(packed.size(), kRows, [&](std::int64_t first, std::int64_t last) {
    context.check_stop("clustering");
    for (std::int64_t place = first; place < last; ++place)
      blocks[static_cast<std::size_t>(first / kRows)] += row_sums(packed, order.gaps, place);
  });
  Sums sums;
  for (const Sums& block : blocks) sums += block;
  const double n = sums.count;
  const double xx = sums.xx - sums.x * sums.x / n, yy = sums.yy - sums.y * sums.y / n;
  return (sums.xy - sums.x * sums.y / n) / std::sqrt(xx * yy);
}

LabelAgreement label_agreement(std::span<const Merge> merges, const data::Csr& labels) {
  const Tree tree = over_all_pairs(merges);
  const auto points = static_cast<double>(merges.size() + 1);
  LabelAgreement result;
  double cost = 0, by_chance = 0;
  const data::Csr members = labels.transposed();
  const std::vector<Joined> joined = joined_by_label(merges, labels);
  for (std::int64_t label = 0; label < members.rows; ++label) {
    const Joined& of = joined[static_cast<std::size_t>(label)];
    if (of.pairs == 0) continue;
    ++result.labels;
    result.purity += of.shares / of.pairs;
    // Of the other size - 2 points of the cluster, each is one of the label's other m - 2 as likely as any.
    const double others = static_cast<double>(std::ssize(members.row(label))) - 2;
    const double each = points > 2 ? others / (points - 2) : 0;
    result.purity_by_chance += each + (2 - 2 * each) * tree.share;
    cost += of.sizes;
    by_chance += of.pairs * tree.size;
  }
  if (result.labels == 0) return result;
  result.purity /= static_cast<double>(result.labels);
  result.purity_by_chance /= static_cast<double>(result.labels);
  result.cost_gain = 1 - cost / by_chance;
  return result;
}

}  // namespace hyperllm::clustering
