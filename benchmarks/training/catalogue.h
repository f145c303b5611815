// A synthetic catalogue of Amazon-Beauty's size: interactions, tags and their skew, no content.
#pragma once

#include <cmath>
#include <cstdint>
#include <utility>
#include <vector>

#include "hyperllm/base/random.h"
#include "hyperllm/data/csr.h"
#include "hyperllm/data/tags.h"

namespace hyperllm::benchmarks {

inline constexpr std::int64_t kUsers = 10553, kItems = 6086, kTags = 6418, kInteractions = 70614,
                              kTagEdges = 16740, kTagItems = 51399, kDim = 49, kBatch = 4096;

using Pairs = std::vector<std::pair<std::int32_t, std::int32_t>>;

// Skewed: the density of ids falls as a power.
inline std::int32_t skewed(Random& random, std::int64_t count) {
  return static_cast<std::int32_t>(static_cast<double>(count) * std::pow(random.uniform(), 1.7));
}

inline data::Csr interactions(std::int64_t users = kUsers, std::int64_t items = kItems,
                              std::int64_t count = kInteractions) {
  Random random(1, "interactions");
  Pairs pairs;
  data::Csr matrix;
  while (matrix.nnz() < count) {
    while (static_cast<std::int64_t>(pairs.size()) < count + count / 20)
      pairs.emplace_back(static_cast<std::int32_t>(random.below(static_cast<std::uint64_t>(users))),
                         skewed(random, items));
    matrix = data::make_csr(users, items, pairs);
    pairs.resize(pairs.size() - pairs.size() / 20);
    if (matrix.nnz() < count) pairs.clear();
  }
  return matrix;
}

// One tag holds nearly every item, as the broadest tag of a real catalogue does.
inline data::TagGraph tags() {
  Random random(1, "tags");
  data::TagGraph graph;
  for (std::int64_t tag = 0; tag < kTags; ++tag) graph.tags.push_back({std::to_string(tag), 1});
  for (std::int64_t e = 0; e < kTagEdges; ++e) {
    const auto child = static_cast<std::int32_t>(1 + random.below(static_cast<std::uint64_t>(kTags) - 1));
    graph.edges.emplace_back(skewed(random, child), child);
  }
  for (std::int32_t item = 0; item < kItems; ++item) {
    graph.tag_items.emplace_back(0, item);
    for (std::int64_t k = 0; k < kTagItems / kItems - 1; ++k)
      graph.tag_items.emplace_back(
          static_cast<std::int32_t>(1 + random.below(static_cast<std::uint64_t>(kTags) - 1)), item);
  }
  return graph;
}

}  // namespace hyperllm::benchmarks
