#include "hyperllm/text/sparse.h"

#include <Eigen/Core>
#include <algorithm>

#include "hyperllm/base/error.h"
#include "hyperllm/base/parallel.h"

namespace hyperllm::text {

SparseMatrix SparseMatrix::transposed() const {
  SparseMatrix out;
  out.rows = cols;
  out.cols = rows;
  out.indptr.assign(static_cast<std::size_t>(cols + 1), 0);
  out.indices.resize(indices.size());
  out.values.resize(values.size());
  for (const std::int32_t column : indices) ++out.indptr[column + 1];
  for (std::int64_t c = 0; c < cols; ++c) out.indptr[c + 1] += out.indptr[c];
  std::vector<std::int64_t> next(out.indptr.begin(), out.indptr.end() - 1);
  for (std::int64_t r = 0; r < rows; ++r) {
    for (std::int64_t at = indptr[r]; at < indptr[r + 1]; ++at) {
      const std::int64_t to = next[indices[at]]++;
      out.indices[to] = static_cast<std::int32_t>(r);
      out.values[to] = values[at];
    }
  }
  return out;
}

SparseMatrix stack(const SparseMatrix& top, const SparseMatrix& bottom) {
  HYPERLLM_DCHECK(top.cols == bottom.cols);
  SparseMatrix out = top;
  out.rows += bottom.rows;
  out.indptr.reserve(static_cast<std::size_t>(out.rows + 1));
  for (std::int64_t r = 1; r <= bottom.rows; ++r) out.indptr.push_back(top.nnz() + bottom.indptr[r]);
  out.indices.insert(out.indices.end(), bottom.indices.begin(), bottom.indices.end());
  out.values.insert(out.values.end(), bottom.values.begin(), bottom.values.end());
  return out;
}

void multiply(const SparseMatrix& a, std::span<const float> x, std::int64_t width, std::span<float> out) {
  HYPERLLM_DCHECK(static_cast<std::int64_t>(x.size()) == a.cols * width);
  HYPERLLM_DCHECK(static_cast<std::int64_t>(out.size()) == a.rows * width);
  using Row = Eigen::Map<Eigen::RowVectorXf>;
  using ConstRow = Eigen::Map<const Eigen::RowVectorXf>;
  parallel_ranges(a.rows, 64, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin; r < end; ++r) {
      Row sum(out.data() + r * width, width);
      sum.setZero();
      for (std::int64_t at = a.indptr[r]; at < a.indptr[r + 1]; ++at)
        sum.noalias() += a.values[at] * ConstRow(x.data() + a.indices[at] * width, width);
    }
  });
}

}  // namespace hyperllm::text
