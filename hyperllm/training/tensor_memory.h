// Large tensors without page faults: memory that a training step frees is what the next one gets.
#pragma once

namespace hyperllm::training {

// While one of these lives, LibTorch's CPU tensors of 64 KB and more come from the pool of blocks of
// hyperllm/base/scratch.h, as the kernels' buffers do. Otherwise the C library returns them to the system,
// which maps and clears their pages anew in every step. When the last one dies, kept blocks are freed and
// LibTorch gets back the allocator it had; tensors that are still alive stay valid. Thread-safe. Contents are
// not cleared.
class ReusedTensorMemory {
 public:
  ReusedTensorMemory();
  ~ReusedTensorMemory();
  ReusedTensorMemory(const ReusedTensorMemory&) = delete;
  ReusedTensorMemory& operator=(const ReusedTensorMemory&) = delete;
};

}  // namespace hyperllm::training
