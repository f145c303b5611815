#include "hyperllm/base/scratch.h"

#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <map>
#include <mutex>
#include <new>
#include <utility>
#include <vector>

namespace hyperllm {
namespace {

constexpr std::size_t kHugePage = std::size_t{2} << 20;

// Eight sizes an octave, so that requests that differ a little share blocks.
std::size_t block_size(std::size_t count) {
  const std::size_t bytes = count < 16 ? 64 : count * sizeof(float);
  const std::size_t step = std::max<std::size_t>(64, std::bit_floor(bytes) / 8);
  return (bytes + step - 1) / step * step;
}

struct Pool {
  std::mutex mutex;
  std::map<std::size_t, std::vector<float*>> idle;  // by block size
  std::int64_t made = 0;
};

// Never destroyed: threads may give blocks back while the process ends.
Pool& pool() {
  static Pool* const instance = new Pool;
  return *instance;
}

float* make_block(std::size_t bytes) {
  const bool huge = bytes >= kHugePage;
  const std::size_t alignment = huge ? kHugePage : 64;
  void* block = std::aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
  if (!block) throw std::bad_alloc();
#ifdef MADV_HUGEPAGE
  if (huge) ::madvise(block, bytes, MADV_HUGEPAGE);
#endif
  return static_cast<float*>(block);
}

}  // namespace

Scratch::Scratch(std::size_t count) : data_(nullptr), bytes_(block_size(count)) {
  Pool& shared = pool();
  const std::lock_guard lock(shared.mutex);
  std::vector<float*>& blocks = shared.idle[bytes_];
  if (blocks.empty()) {
    data_ = make_block(bytes_);
    ++shared.made;
  } else {
    data_ = blocks.back();
    blocks.pop_back();
  }
}

Scratch::~Scratch() {
  if (!data_) return;
  Pool& shared = pool();
  const std::lock_guard lock(shared.mutex);
  shared.idle[bytes_].push_back(data_);
}

Scratch::Scratch(Scratch&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), bytes_(other.bytes_) {}

std::int64_t scratch_blocks_made() {
  const std::lock_guard lock(pool().mutex);
  return pool().made;
}

void release_scratch() {
  const std::lock_guard lock(pool().mutex);
  for (auto& [bytes, blocks] : pool().idle) {
    for (float* block : blocks) std::free(block);
    blocks.clear();
  }
}

}  // namespace hyperllm
