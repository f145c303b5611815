#include "hyperllm/base/parallel.h"

#include <omp.h>

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

namespace hyperllm {

namespace {
// Kept here and not in OpenMP's own setting, which LibTorch overwrites when it starts.
std::atomic<int> wanted{0};
}  // namespace

void set_num_threads(int count) { wanted = count; }

int num_threads() { return wanted > 0 ? wanted.load() : omp_get_num_procs(); }

#ifdef __SANITIZE_THREAD__
namespace {

// ThreadSanitizer knows nothing of the barriers of OpenMP's library and would report every pair of loops.
thread_local bool in_parallel = false;

template <class Body>
void in_any_order(std::int64_t blocks, int threads, const Body& body) {
  std::atomic<std::int64_t> next{0};
  const auto work = [&] {
    in_parallel = true;
    for (std::int64_t block = next++; block < blocks; block = next++) body(block);
    in_parallel = false;
  };
  std::vector<std::jthread> others;
  for (int thread = 1; thread < threads; ++thread) others.emplace_back(work);
  work();
}
bool runs_inside_another() { return in_parallel; }

}  // namespace
#else
namespace {

template <class Body>
void in_any_order(std::int64_t blocks, int threads, const Body& body) {
#pragma omp parallel for schedule(dynamic, 1) num_threads(threads)
  for (std::int64_t block = 0; block < blocks; ++block) body(block);
}
bool runs_inside_another() { return omp_in_parallel(); }

}  // namespace
#endif

void parallel_blocks(std::int64_t blocks, const std::function<void(std::int64_t)>& body) {
  const int threads = num_threads();
  if (blocks <= 1 || runs_inside_another() || threads == 1) {
    for (std::int64_t block = 0; block < blocks; ++block) body(block);
    return;
  }
  std::exception_ptr failure;
  std::mutex one;
  in_any_order(blocks, threads, [&](std::int64_t block) {
    try {
      body(block);
    } catch (...) {
      const std::lock_guard lock(one);
      if (!failure) failure = std::current_exception();
    }
  });
  if (failure) std::rethrow_exception(failure);
}

void parallel_ranges(std::int64_t count, std::int64_t grain,
                     const std::function<void(std::int64_t, std::int64_t)>& body) {
  parallel_blocks((count + grain - 1) / grain,
                  [&](std::int64_t block) { body(block * grain, std::min(count, (block + 1) * grain)); });
}

}  // namespace hyperllm
