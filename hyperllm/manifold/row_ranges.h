// Tables that share rows: several views of one tensor without copies, their gradients summed once.
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <vector>

namespace hyperllm::manifold {

struct RowRange {
  std::int64_t first;
  std::int64_t count;
};

// Row ranges of x (rows x dim), which may overlap. The gradient of x is one tensor in which the gradients of
// the ranges are added up, where narrow() would make a zero-filled one for each. First derivatives only on
// the kernel path.
std::vector<torch::Tensor> row_ranges(const torch::Tensor& x, const std::vector<RowRange>& ranges);

// The rows ids[0], ids[1], ... of x, repeated where an id is; ids in [0, rows). Gradients are added up in the
// order of the ids. First derivatives only on the kernel path.
torch::Tensor gathered_rows(const torch::Tensor& x, const std::vector<std::int32_t>& ids);

// The rows of `above`, then those of `below`: a view where they lie so in memory already, a copy otherwise.
// First derivatives only on the kernel path.
torch::Tensor stacked_rows(const torch::Tensor& above, const torch::Tensor& below);

}  // namespace hyperllm::manifold
