#include "hyperllm/base/scratch.h"

#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <functional>
#include <map>
#include <mutex>
#include <new>
#include <vector>

namespace hyperllm {
namespace {

constexpr std::size_t kHugePage = std::size_t{2} << 20;
#ifdef __SANITIZE_ADDRESS__
constexpr std::size_t kShared = SIZE_MAX;  // blocks of their own, between which writes are noticed
#else
constexpr std::size_t kShared = std::size_t{256} << 10;  // the smallest block that is cut from an arena
#endif
constexpr std::size_t kArena = std::size_t{32} << 20;

// Eight sizes an octave, so that requests that differ a little share blocks.
std::size_t block_size(std::size_t bytes) {
  const std::size_t step = std::max<std::size_t>(64, std::bit_floor(bytes) / 8);
  return std::max<std::size_t>(1, (bytes + step - 1) / step) * step;
}

// Address space from which blocks are cut one after the other, so that they share huge pages: a block of 3.3
// MB with pages of its own would keep 4 MB resident.
struct Arena {
  std::byte* start;
  std::size_t bytes, used = 0, blocks = 0;  // blocks that were cut and not freed
};

struct Pool {
  std::mutex mutex;
  std::map<std::size_t, std::vector<void*>> kept;  // by block size
  std::vector<Arena> arenas;
  std::int64_t made = 0, held = 0;
};

// Never destroyed: blocks may come back after every static object.
Pool& pool() {
  static Pool* const instance = new Pool;
  return *instance;
}

void* make_block(Pool& from, std::size_t bytes) {
  if (bytes < kShared) {
    void* memory = std::aligned_alloc(64, bytes);
    if (!memory) throw std::bad_alloc();
    return memory;
  }
  if (from.arenas.empty() || from.arenas.back().bytes - from.arenas.back().used < bytes) {
    const std::size_t whole = std::max(kArena, (bytes + kHugePage - 1) / kHugePage * kHugePage);
    void* memory = std::aligned_alloc(kHugePage, whole);
    if (!memory) throw std::bad_alloc();
    advise_huge_pages(memory, whole);
    from.arenas.push_back({static_cast<std::byte*>(memory), whole});
  }
  Arena& arena = from.arenas.back();
  void* memory = arena.start + arena.used;
  arena.used += bytes;
  ++arena.blocks;
  return memory;
}

void free_block(Pool& to, void* memory) {
  const auto* at = static_cast<std::byte*>(memory);
  const auto arena = std::find_if(to.arenas.begin(), to.arenas.end(), [&](const Arena& a) {
    return !std::less<>()(at, a.start) && std::less<>()(at, a.start + a.bytes);
  });
  if (arena == to.arenas.end()) return std::free(memory);
  if (--arena->blocks > 0) return;
  std::free(arena->start);
  to.arenas.erase(arena);
}

}  // namespace

MemoryBlock take_block(std::size_t bytes) {
  const std::size_t size = block_size(bytes);
  Pool& shared = pool();
  const std::lock_guard lock(shared.mutex);
  std::vector<void*>& kept = shared.kept[size];
  if (kept.empty()) {
    void* memory = make_block(shared, size);
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
    for (void* memory : blocks) free_block(pool(), memory);
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
