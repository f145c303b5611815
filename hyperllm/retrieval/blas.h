// BLAS as this project uses it: one thread a call. Callers cut the work into fixed blocks (base/parallel.h),
// so that sums do not depend on the number of threads.
#pragma once

#include <cblas.h>

namespace hyperllm::retrieval {

// Turns off OpenBLAS's own threads for the whole process. Cheap; call before the first BLAS call of a job.
void use_single_threaded_blas();

}  // namespace hyperllm::retrieval
