// Large buffers that are reused instead of returned to the system: mapping and clearing fresh pages costs
// more than most kernels that write to them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

namespace hyperllm {

// Memory from the pool of the process: aligned to 64 bytes; from 256 KB on cut from arenas of 32 MB and more
// with huge pages advised; content unspecified. Thread-safe.
struct MemoryBlock {
  void* memory;
  std::size_t bytes;  // at least what was asked for
};
MemoryBlock take_block(std::size_t bytes);  // throws std::bad_alloc
void give_block(MemoryBlock block);

// Blocks requested from the system since the process started (constant from the second step of a training
// on), and the bytes that are now in use or kept.
std::int64_t blocks_made();
std::int64_t block_bytes_held();
// Returns all kept blocks to the system, an arena once none of its blocks is in use.
void release_kept_blocks();

// Asks for huge pages for the whole 2 MB pages of a range; a hint that may be ignored.
void advise_huge_pages(void* start, std::size_t bytes);

// `count` floats of a block, for as long as it lives.
class Scratch {
 public:
  explicit Scratch(std::size_t count) : block_(take_block(count * sizeof(float))) {}
  ~Scratch() { give_block(block_); }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  float* data() const { return static_cast<float*>(block_.memory); }
  std::size_t bytes() const { return block_.bytes; }

 private:
  MemoryBlock block_;
};

// A Scratch that grows: what a kernel keeps between its steps.
class GrowingScratch {
 public:
  // At least `count` floats. What an earlier call returned stays valid only if it was not smaller.
  float* get(std::size_t count) {
    if (!block_ || block_->bytes() < count * sizeof(float)) {
      block_.reset();
      block_.emplace(count);
    }
    return block_->data();
  }
  std::size_t bytes() const { return block_ ? block_->bytes() : 0; }

 private:
  std::optional<Scratch> block_;
};

}  // namespace hyperllm
