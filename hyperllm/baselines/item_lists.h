// Item-item weights as one short list a column, on their way to retrieval's sparse rows.
#pragma once

#include <cstdint>
#include <vector>

#include "hyperllm/retrieval/scorer.h"

namespace hyperllm::baselines {

struct Neighbour {
  double value;
  std::int32_t item;
};

// Larger values first, of equal ones the smaller id.
inline bool nearer(const Neighbour& a, const Neighbour& b) {
  return a.value > b.value || (a.value == b.value && a.item < b.item);
}

// Entry (row.item, column) = row.value for each row of columns[column].
retrieval::SparseWeights by_rows(const std::vector<std::vector<Neighbour>>& columns);

}  // namespace hyperllm::baselines
