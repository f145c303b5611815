#include "hyperllm/baselines/cholesky.h"

#include <cblas.h>

#include <algorithm>
#include <cmath>
#include <string>

#include "hyperllm/base/error.h"
#include "hyperllm/base/parallel.h"
#include "hyperllm/baselines/waves.h"
#include "hyperllm/kernels/blas.h"

namespace hyperllm::baselines {
namespace {

blasint to_blas(std::int64_t value) { return static_cast<blasint>(value); }

// One diagonal block, row by row; zeros above its diagonal.
void factor_diagonal(double* block, std::int64_t size, std::int64_t stride, std::int64_t first) {
  for (std::int64_t i = 0; i < size; ++i) {
    double* row = block + i * stride;
    for (std::int64_t j = 0; j <= i; ++j) {
      const double* other = block + j * stride;
      double sum = row[j];
      for (std::int64_t k = 0; k < j; ++k) sum -= row[k] * other[k];
      if (j < i) {
        row[j] = sum / other[j];
        continue;
      }
      HYPERLLM_CHECK(
          sum > 0 && std::isfinite(sum), ErrorCode::kInvalidArgument,
          "the matrix is not positive definite (row " + std::to_string(first + i) + "); use a larger lambda");
      row[i] = std::sqrt(sum);
    }
    std::fill(row + i + 1, row + size, 0.0);
  }
}

}  // namespace

void cholesky(std::span<double> a, std::int64_t n, const Context& context) {
  kernels::use_single_threaded_blas();
  const std::int64_t blocks = (n + kBlock - 1) / kBlock;
  const auto at = [&](std::int64_t row, std::int64_t col) { return a.data() + row * n + col; };
  const auto size_of = [&](std::int64_t block) { return std::min(kBlock, n - block * kBlock); };
  Progress progress(context, "EASE: factor", blocks);
  for (std::int64_t k = 0; k < blocks; ++k) {
    check_stop(context, "EASE");
    const std::int64_t first = k * kBlock, size = size_of(k), below = first + size;
    factor_diagonal(at(first, first), size, n, first);
    const auto rows_of = [&](std::int64_t i) { return size_of(k + 1 + i); };
    const auto start_of = [&](std::int64_t i) { return below + i * kBlock; };
    parallel_blocks(blocks - k - 1, [&](std::int64_t i) {
      cblas_dtrsm(CblasRowMajor, CblasRight, CblasLower, CblasTrans, CblasNonUnit, to_blas(rows_of(i)),
                  to_blas(size), 1.0, at(first, first), to_blas(n), at(start_of(i), first), to_blas(n));
    });
    parallel_blocks(blocks - k - 1, [&](std::int64_t i) {
      const std::int64_t row = start_of(i), rows = rows_of(i);
      cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, to_blas(rows), to_blas(row + rows - below),
                  to_blas(size), -1.0, at(row, first), to_blas(n), at(below, first), to_blas(n), 1.0,
                  at(row, below), to_blas(n));
    });
    progress.advance();
  }
}

}  // namespace hyperllm::baselines
