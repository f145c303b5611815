#include "hyperllm/training/threads.h"

#include <ATen/Parallel.h>

#include "hyperllm/kernels/blas.h"

namespace hyperllm::training {

void leave_threads_to_loops() {
  at::set_num_threads(1);
  kernels::use_single_threaded_blas();
}

}  // namespace hyperllm::training
