#include "hyperllm/retrieval/blas.h"

namespace hyperllm::retrieval {

void use_single_threaded_blas() {
  if (openblas_get_num_threads() != 1) openblas_set_num_threads(1);
}

}  // namespace hyperllm::retrieval
