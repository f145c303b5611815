// A random symmetric graph with its diagonal, in the arrays that kernels::SymmetricGraph looks at.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "hyperllm/base/random.h"
#include "hyperllm/kernels/propagate.h"

namespace hyperllm::test {

struct SmallGraph {
  std::vector<std::int64_t> indptr = {0};
  std::vector<std::int32_t> indices;
  std::vector<float> weights, scale;
  std::vector<std::int64_t> cuts;

  SmallGraph(std::int64_t nodes, std::int64_t edges, std::uint64_t seed) {
    Random random(seed, "graph");
    std::vector<std::map<std::int32_t, float>> rows(static_cast<std::size_t>(nodes));
    for (std::int64_t e = 0; e < edges; ++e) {
      const auto a = random.below(static_cast<std::uint64_t>(nodes)),
                 b = random.below(static_cast<std::uint64_t>(nodes));
      const auto weight = static_cast<float>(1 + random.below(2));
      rows[a][static_cast<std::int32_t>(b)] = weight;
      rows[b][static_cast<std::int32_t>(a)] = weight;
    }
    for (std::size_t node = 0; node < rows.size(); ++node) {
      rows[node][static_cast<std::int32_t>(node)] = 1;
      float degree = 0;
      for (const auto& [other, weight] : rows[node]) {
        indices.push_back(other);
        weights.push_back(weight);
        degree += weight;
      }
      indptr.push_back(static_cast<std::int64_t>(indices.size()));
      scale.push_back(1 / degree);
    }
    cuts = kernels::row_cuts(indptr);
  }

  kernels::SymmetricGraph view() const {
    return {static_cast<std::int64_t>(scale.size()), indptr, indices, weights, scale, cuts};
  }
};

}  // namespace hyperllm::test
