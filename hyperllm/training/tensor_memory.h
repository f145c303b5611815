// Large tensors without page faults: memory that a training step frees is what the next one gets.
#pragma once

#include <cstdint>

namespace hyperllm::training {

// While one of these lives, LibTorch's CPU tensors of 64 KB and more come from blocks that are kept when a
// tensor dies and handed out again by size; blocks of 2 MB and more are aligned to huge pages and advised to
// be such. Otherwise the C library returns them to the system, which maps and clears their pages anew in
// every step. When the last one dies, kept blocks are freed and LibTorch gets back the allocator it had;
// tensors that are still alive stay valid. Thread-safe. Contents are not cleared.
class ReusedTensorMemory {
 public:
  ReusedTensorMemory();
  ~ReusedTensorMemory();
  ReusedTensorMemory(const ReusedTensorMemory&) = delete;
  ReusedTensorMemory& operator=(const ReusedTensorMemory&) = delete;

  // Blocks ever taken from the system by this process's objects of this class, and the bytes held now (in
  // tensors and kept).
  static std::int64_t blocks_made();
  static std::int64_t bytes_held();
};

}  // namespace hyperllm::training
