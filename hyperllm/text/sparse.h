// A sparse matrix of float32 and its products with dense ones.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace hyperllm::text {

// Compressed sparse rows; columns ascend within a row.
struct SparseMatrix {
  std::int64_t rows = 0;
  std::int64_t cols = 0;
  std::vector<std::int64_t> indptr = {0};  // size rows + 1
  std::vector<std::int32_t> indices;       // size nnz, each in [0, cols)
  std::vector<float> values;               // size nnz

  std::int64_t nnz() const { return static_cast<std::int64_t>(indices.size()); }
  SparseMatrix transposed() const;
};

// The rows of `top`, then those of `bottom`; both have the same number of columns.
SparseMatrix stack(const SparseMatrix& top, const SparseMatrix& bottom);

// out = a * x; x is a.cols x width, out a.rows x width, both row-major. Every row is summed in the order of
// its entries by one thread.
void multiply(const SparseMatrix& a, std::span<const float> x, std::int64_t width, std::span<float> out);

}  // namespace hyperllm::text
