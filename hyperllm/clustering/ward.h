// Hierarchical clustering by Ward's method: at each step the two clusters are merged whose union adds least
// to the sum of squared distances from the clusters' means (Ward 1963).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "hyperllm/base/progress.h"

namespace hyperllm::clustering {

// One step of the clustering of n points, a row of SciPy's linkage matrix: points are 0 .. n-1, what the i-th
// merge makes is n + i. left < right.
struct Merge {
  std::int32_t left = 0, right = 0;
  double height = 0;  // sqrt(2 a b / (a + b)) times the distance of the means of clusters of a and b points
  std::int64_t size = 0;  // points in the new cluster
};

// The n - 1 merges of `points`, rows of `dim` numbers, by rising height: SciPy's linkage(points, "ward"). By
// the nearest-neighbour chain (Murtagh 1983) on means and sizes, in double: O(n^2 dim) time, O(n dim) memory.
// Of equally near clusters the one of the lower number is taken, as in SciPy; rounding may still break a tie
// in another way there. Same bytes for any number of threads. Throws kInvalidArgument for points that are no
// whole rows, fewer than two, or not finite; kInterrupted.
std::vector<Merge> ward(std::span<const double> points, std::int64_t dim, const Context& context);

}  // namespace hyperllm::clustering
