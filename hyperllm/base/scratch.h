// Large temporary buffers that are reused instead of returned to the system: mapping and zeroing fresh pages
// costs more than most kernels that write to them.
#pragma once

#include <cstddef>
#include <cstdint>

namespace hyperllm {

// A block of at least `count` floats, aligned to 64 bytes (to 2 MB, with huge pages advised, from 2 MB on),
// content unspecified. Taken from a pool of the process and given back by the destructor. Thread-safe. Throws
// std::bad_alloc.
class Scratch {
 public:
  explicit Scratch(std::size_t count);
  ~Scratch();
  Scratch(Scratch&& other) noexcept;
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  Scratch& operator=(Scratch&&) = delete;

  float* data() const { return data_; }

 private:
  float* data_;
  std::size_t bytes_;
};

// Blocks requested from the system since the start of the process: constant from the second step of a
// training on.
std::int64_t scratch_blocks_made();

// Returns all idle blocks to the system.
void release_scratch();

}  // namespace hyperllm
