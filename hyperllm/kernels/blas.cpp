#include "hyperllm/kernels/blas.h"

#include <cblas.h>

namespace hyperllm::kernels {

void use_single_threaded_blas() {
  if (openblas_get_num_threads() != 1) openblas_set_num_threads(1);
}

void gemm(Transpose a_transposed, Transpose b_transposed, std::int64_t m, std::int64_t n, std::int64_t k,
          float alpha, const float* a, std::int64_t lda, const float* b, std::int64_t ldb, float beta,
          float* c, std::int64_t ldc) {
  use_single_threaded_blas();
  cblas_sgemm(CblasRowMajor, a_transposed == Transpose::kYes ? CblasTrans : CblasNoTrans,
              b_transposed == Transpose::kYes ? CblasTrans : CblasNoTrans, static_cast<blasint>(m),
              static_cast<blasint>(n), static_cast<blasint>(k), alpha, a, static_cast<blasint>(lda), b,
              static_cast<blasint>(ldb), beta, c, static_cast<blasint>(ldc));
}

}  // namespace hyperllm::kernels
