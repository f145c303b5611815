#include "hyperllm/base/parallel.h"

#include <omp.h>

#include <algorithm>
#include <atomic>
#include <exception>

namespace hyperllm {

namespace {
// Kept here and not in OpenMP's own setting, which LibTorch overwrites when it starts.
std::atomic<int> wanted{0};
}  // namespace

void set_num_threads(int count) { wanted = count; }

int num_threads() { return wanted > 0 ? wanted.load() : omp_get_num_procs(); }

void parallel_blocks(std::int64_t blocks, const std::function<void(std::int64_t)>& body) {
  const int threads = num_threads();
  if (blocks <= 1 || omp_in_parallel() || threads == 1) {
    for (std::int64_t block = 0; block < blocks; ++block) body(block);
    return;
  }
  std::exception_ptr failure;
#pragma omp parallel for schedule(dynamic, 1) num_threads(threads)
  for (std::int64_t block = 0; block < blocks; ++block) {
    try {
      body(block);
    } catch (...) {
#pragma omp critical(hyperllm_parallel_failure)
      if (!failure) failure = std::current_exception();
    }
  }
  if (failure) std::rethrow_exception(failure);
}

void parallel_ranges(std::int64_t count, std::int64_t grain,
                     const std::function<void(std::int64_t, std::int64_t)>& body) {
  parallel_blocks((count + grain - 1) / grain,
                  [&](std::int64_t block) { body(block * grain, std::min(count, (block + 1) * grain)); });
}

}  // namespace hyperllm
