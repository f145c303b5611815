// Parallel loops whose results do not depend on the number of threads.
//
// Work is cut into blocks by the caller, never by the number of threads; a block is done by one thread.
// Whoever needs a sum over blocks keeps one partial result per block and adds them in order.
#pragma once

#include <cstdint>
#include <functional>

namespace hyperllm {

// Threads that parallel loops may use; `count` 0 means all cores. Also sets the same number for OpenMP users
// in the process (LibTorch shares the pool).
void set_num_threads(int count);
int num_threads();

// Calls body(block) for block in [0, blocks), in no particular order. The first exception thrown by a body is
// rethrown after all threads have stopped.
void parallel_blocks(std::int64_t blocks, const std::function<void(std::int64_t)>& body);

// Calls body(begin, end) on consecutive ranges of at most `grain` that cover [0, count).
void parallel_ranges(std::int64_t count, std::int64_t grain,
                     const std::function<void(std::int64_t, std::int64_t)>& body);

}  // namespace hyperllm
