#include "hyperllm/baselines/item_lists.h"

namespace hyperllm::baselines {

retrieval::SparseWeights by_rows(const std::vector<std::vector<Neighbour>>& columns) {
  const std::int64_t items = std::ssize(columns);
  retrieval::SparseWeights weights;
  weights.links.rows = weights.links.cols = items;
  weights.links.indptr.assign(static_cast<std::size_t>(items) + 1, 0);
  for (const auto& column : columns)
    for (const Neighbour& row : column) ++weights.links.indptr[row.item + 1];
  for (std::int64_t i = 0; i < items; ++i) weights.links.indptr[i + 1] += weights.links.indptr[i];
  std::vector<std::int64_t> next(weights.links.indptr.begin(), weights.links.indptr.end() - 1);
  weights.links.indices.resize(static_cast<std::size_t>(weights.links.indptr[items]));
  weights.values.resize(weights.links.indices.size());
  for (std::int64_t column = 0; column < items; ++column)
    for (const Neighbour& row : columns[column]) {
      const std::int64_t at = next[row.item]++;
      weights.links.indices[at] = static_cast<std::int32_t>(column);
      weights.values[at] = static_cast<float>(row.value);
    }
  return weights;
}

}  // namespace hyperllm::baselines
