// Drawing a clustering as SciPy's dendrogram does, and where its leaves stand.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "hyperllm/clustering/ward.h"

namespace hyperllm::clustering {

// Points from left to right, the lower number of a merge first.
struct LeafOrder {
  std::vector<std::int32_t> points;
  std::vector<double> gaps;  // gaps[i]: height of the merge that joins points[i] and points[i + 1]
};
LeafOrder leaf_order(std::span<const Merge> merges);

// A bracket: up from (x[0], y[0]), over, down to (x[3], y[3]).
struct Link {
  double x[4] = {}, y[4] = {};
  int colour = 0;  // 0: at or above the threshold; 1 to 9, round and round, from left to right
};

struct Leaf {
  double x = 0;
  std::int32_t node = 0;   // a point, or n + the merge that is not drawn further
  std::int64_t count = 1;  // points under it
};

struct Dendrogram {
  std::vector<Link> links;
  std::vector<Leaf> leaves;  // from left to right, 10 apart
  double threshold = 0;      // 0.7 of the greatest height
};

// The last merges, down to `leaves` leaves (at least 1): dendrogram(Z, truncate_mode="lastp", p=leaves) with
// SciPy's rule of colours.
Dendrogram dendrogram(std::span<const Merge> merges, std::int64_t leaves);

}  // namespace hyperllm::clustering
