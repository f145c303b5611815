// Compressed sparse rows of integer ids, the form in which interactions and graphs are walked.
#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace hyperllm::data {

// `rows` lists of column ids, each sorted ascending without duplicates.
struct Csr {
  std::int64_t rows = 0;
  std::int64_t cols = 0;
  std::vector<std::int64_t> indptr = {0};  // size rows + 1
  std::vector<std::int32_t> indices;       // size nnz, each in [0, cols)

  std::int64_t nnz() const { return static_cast<std::int64_t>(indices.size()); }
  std::span<const std::int32_t> row(std::int64_t r) const {
    return {indices.data() + indptr[r], static_cast<std::size_t>(indptr[r + 1] - indptr[r])};
  }
  bool contains(std::int64_t r, std::int32_t column) const;  // binary search
  Csr transposed() const;
};

// From (row, column) pairs in any order; duplicates collapse. Throws kInvalidArgument if an id is out of
// range.
Csr make_csr(std::int64_t rows, std::int64_t cols,
             std::span<const std::pair<std::int32_t, std::int32_t>> pairs);

// Row-wise union of two matrices of one shape.
Csr unite(const Csr& a, const Csr& b);

}  // namespace hyperllm::data
