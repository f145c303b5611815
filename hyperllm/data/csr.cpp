#include "hyperllm/data/csr.h"

#include <algorithm>
#include <iterator>
#include <limits>
#include <string>

#include "hyperllm/base/error.h"

namespace hyperllm::data {
namespace {

void check_shape(std::int64_t rows, std::int64_t cols) {
  constexpr std::int64_t kMost = std::numeric_limits<std::int32_t>::max();
  HYPERLLM_CHECK(rows >= 0 && cols >= 0 && rows <= kMost && cols <= kMost, ErrorCode::kInvalidArgument,
                 "a sparse matrix of " + std::to_string(rows) + " x " + std::to_string(cols) +
                     " does not fit: each side must lie between 0 and 2147483647.");
}

}  // namespace

bool Csr::contains(std::int64_t r, std::int32_t column) const {
  const auto columns = row(r);
  return std::binary_search(columns.begin(), columns.end(), column);
}

Csr Csr::transposed() const {
  Csr result;
  result.rows = cols;
  result.cols = rows;
  result.indptr.assign(static_cast<std::size_t>(cols) + 1, 0);
  for (const std::int32_t column : indices) ++result.indptr[column + 1];
  for (std::int64_t c = 0; c < cols; ++c) result.indptr[c + 1] += result.indptr[c];
  result.indices.resize(indices.size());
  std::vector<std::int64_t> next(result.indptr.begin(), result.indptr.end() - 1);
  for (std::int64_t r = 0; r < rows; ++r)
    for (const std::int32_t column : row(r)) result.indices[next[column]++] = static_cast<std::int32_t>(r);
  return result;
}

Csr make_csr(std::int64_t rows, std::int64_t cols,
             std::span<const std::pair<std::int32_t, std::int32_t>> pairs) {
  check_shape(rows, cols);
  Csr result;
  result.rows = rows;
  result.cols = cols;
  std::vector<std::int64_t> next(static_cast<std::size_t>(rows) + 1, 0);
  for (const auto& [r, c] : pairs) {
    HYPERLLM_CHECK(r >= 0 && r < rows && c >= 0 && c < cols, ErrorCode::kInvalidArgument,
                   "entry (" + std::to_string(r) + ", " + std::to_string(c) +
                       ") lies outside of a sparse matrix of " + std::to_string(rows) + " x " +
                       std::to_string(cols) + ".");
    ++next[r + 1];
  }
  for (std::int64_t r = 0; r < rows; ++r) next[r + 1] += next[r];
  result.indices.resize(pairs.size());
  for (const auto& [r, c] : pairs) result.indices[next[r]++] = c;

  result.indptr.assign(static_cast<std::size_t>(rows) + 1, 0);
  std::int64_t from = 0, kept = 0;
  for (std::int64_t r = 0; r < rows; ++r) {
    const auto begin = result.indices.begin() + from, end = result.indices.begin() + next[r];
    std::sort(begin, end);
    const auto last = std::unique(begin, end);
    kept = std::move(begin, last, result.indices.begin() + kept) - result.indices.begin();
    result.indptr[r + 1] = kept;
    from = next[r];
  }
  result.indices.resize(kept);
  return result;
}

Csr unite(const Csr& a, const Csr& b) {
  HYPERLLM_CHECK(a.rows == b.rows && a.cols == b.cols, ErrorCode::kInvalidArgument,
                 "cannot unite sparse matrices of different shapes: " + std::to_string(a.rows) + " x " +
                     std::to_string(a.cols) + " and " + std::to_string(b.rows) + " x " +
                     std::to_string(b.cols) + ".");
  Csr result;
  result.rows = a.rows;
  result.cols = a.cols;
  result.indptr.reserve(a.indptr.size());
  result.indices.reserve(a.indices.size() + b.indices.size());
  for (std::int64_t r = 0; r < a.rows; ++r) {
    const auto left = a.row(r), right = b.row(r);
    std::set_union(left.begin(), left.end(), right.begin(), right.end(), std::back_inserter(result.indices));
    result.indptr.push_back(result.nnz());
  }
  return result;
}

}  // namespace hyperllm::data
