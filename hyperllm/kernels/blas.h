// Matrix products on one thread. Callers cut their work into fixed blocks and run them with parallel_blocks,
// so that results do not depend on the number of threads.
#pragma once

#include <cstdint>

namespace hyperllm::kernels {

// Switches the threads of the BLAS itself off, for the whole process. Cheap; call it before the first BLAS
// call of a job that does not go through gemm() below.
void use_single_threaded_blas();

enum class Transpose { kNo, kYes };

// C (m x n) = alpha * op(A) (m x k) * op(B) (k x n) + beta * C; row-major with row strides lda, ldb, ldc (in
// floats).
void gemm(Transpose a_transposed, Transpose b_transposed, std::int64_t m, std::int64_t n, std::int64_t k,
          float alpha, const float* a, std::int64_t lda, const float* b, std::int64_t ldb, float beta,
          float* c, std::int64_t ldc);

}  // namespace hyperllm::kernels
