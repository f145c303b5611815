// Parallel loops whose results do not depend on the number of threads.
//
// Work is cut into blocks by the caller, never by the number of threads; a block is done by one thread.
// Whoever needs a sum over blocks keeps one partial result per block and adds them in order.
//
// On a busy machine a loop goes on as if alone: its caller works like the other threads and waits for none
// that has not begun a block, and whoever waits sleeps at once; on a quiet one it waits 200 microseconds
// awake.
#pragma once

#include <cstdint>
#include <functional>

namespace hyperllm {

constexpr int kMostThreads = 1024;

// Threads that parallel loops may use, the caller's included: at most kMostThreads; `count` 0 means those of
// available_processors() (base/processors.h). May change at any time, for loops that begin afterwards. Where
// the system refuses a thread, loops do with those that there are.
void set_num_threads(int count);
int num_threads();

// Calls body(block) for block in [0, blocks), in no particular order. When bodies throw, no further block
// begins, and the exception of the first such block is rethrown after all threads have left, as if one thread
// had worked.
//
// Any thread may call at any time, a body too: while a loop runs, other loops are done by their caller alone.
// A child of fork() has threads of its own, unless the fork was within a body.
void parallel_blocks(std::int64_t blocks, const std::function<void(std::int64_t)>& body);

// Calls body(begin, end) on consecutive ranges of at most `grain` that cover [0, count).
void parallel_ranges(std::int64_t count, std::int64_t grain,
                     const std::function<void(std::int64_t, std::int64_t)>& body);

}  // namespace hyperllm
