#include "hyperllm/base/scratch.h"

#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <map>
#include <mutex>
#include <new>
#include <vector>

namespace hyperllm {
namespace {

constexpr std::size_t kHugePage = std::size_t{2} << 20;

// Eight sizes an octave, so that requests that differ a little share blocks.
std::size_t block_size(std::size_t bytes) {
  const std::size_t step = std::max<std::size_t>(64, std::bit_floor(bytes) / 8);
  return std::max<std::size_t>(1, (bytes + step - 1) / step) * step;
}

struct Pool {
  std::mutex mutex;
  std::map<std::size_t, std::vector<void*>> kept;  // by block size
  std::int64_t made = 0, held = 0;
};

// Never destroyed: blocks may come back after every static object.
Pool& pool() {
  static Pool* const instance = new Pool;
  return *instance;
}

void* make_block(std::size_t bytes) {
  const std::size_t alignment = bytes >= kHugePage ? kHugePage : 64;
  const std::size_t whole = (bytes + alignment - 1) / alignment * alignment;
  void* memory = std::aligned_alloc(alignment, whole);
  if (!memory) throw std::bad_alloc();
  advise_huge_pages(memory, whole);
  return memory;
}

}  // namespace

MemoryBlock take_block(std::size_t bytes) {
  const std::size_t size = block_size(bytes);
  Pool& shared = pool();
  const std::lock_guard lock(shared.mutex);
  std::vector<void*>& kept = shared.kept[size];
  if (kept.empty()) {
    void* memory = make_block(size);
    ++shared.made;
    shared.held += static_cast<std::int64_t>(size);
    return {memory, size};
  }
  void* memory = kept.back();
  kept.pop_back();
  return {memory, size};
}

void give_block(MemoryBlock block) {
  const std::lock_guard lock(pool().mutex);
  pool().kept[block.bytes].push_back(block.memory);
}

std::int64_t blocks_made() {
  const std::lock_guard lock(pool().mutex);
  return pool().made;
}

std::int64_t block_bytes_held() {
  const std::lock_guard lock(pool().mutex);
  return pool().held;
}

void release_kept_blocks() {
  const std::lock_guard lock(pool().mutex);
  for (auto& [bytes, blocks] : pool().kept) {
    for (void* memory : blocks) std::free(memory);
    pool().held -= static_cast<std::int64_t>(bytes * blocks.size());
    blocks.clear();
  }
}

void advise_huge_pages([[maybe_unused]] void* start, [[maybe_unused]] std::size_t bytes) {
#ifdef MADV_HUGEPAGE
  const auto address = reinterpret_cast<std::uintptr_t>(start);
  const std::uintptr_t first = (address + kHugePage - 1) / kHugePage * kHugePage,
                       last = (address + bytes) / kHugePage * kHugePage;
  if (first < last) madvise(reinterpret_cast<void*>(first), last - first, MADV_HUGEPAGE);
#endif
}

}  // namespace hyperllm
