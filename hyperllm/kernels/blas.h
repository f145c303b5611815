// Matrix products on one thread. Callers cut their work into fixed blocks and run them with parallel_blocks,
// so that results do not depend on the number of threads; the threads of the BLAS itself are switched off.
#pragma once

#include <cstdint>

namespace hyperllm::kernels {

enum class Transpose { kNo, kYes };

// C (m x n) = alpha * op(A) (m x k) * op(B) (k x n) + beta * C; row-major with row strides lda, ldb, ldc (in
// floats).
void gemm(Transpose a_transposed, Transpose b_transposed, std::int64_t m, std::int64_t n, std::int64_t k,
          float alpha, const float* a, std::int64_t lda, const float* b, std::int64_t ldb, float beta,
          float* c, std::int64_t ldc);

}  // namespace hyperllm::kernels
