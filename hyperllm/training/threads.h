// Who has threads in a training: the loops of hyperllm/base/parallel.h, and nobody else.
#pragma once

namespace hyperllm::training {

// Has LibTorch and the BLAS below it work on their caller's thread, in the whole process. What they could do
// in parallel is less than a hundredth of a training, and threads of theirs that wait for work hold
// processors that the loops, or other programs, want.
void leave_threads_to_loops();

}  // namespace hyperllm::training
