#include "hyperllm/training/tensor_memory.h"

#include <c10/core/Allocator.h>
#include <c10/core/CPUAllocator.h>
#include <sys/mman.h>

#include <cstdlib>
#include <map>
#include <mutex>
#include <new>

namespace hyperllm::training {
namespace {

constexpr std::size_t kSmallest = 64 << 10, kHugePage = 2 << 20;

struct Block {
  void* memory;
  std::size_t bytes;
};

class Blocks : public c10::Allocator {
 public:
  void enter() {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (users_++ > 0) return;
    system_ = c10::GetCPUAllocator();
    c10::SetCPUAllocator(this);
  }

  void leave() {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (--users_ > 0) return;
    c10::SetCPUAllocator(system_);
    for (const auto& [bytes, block] : kept_) destroy(block);
    kept_.clear();
  }

  c10::DataPtr allocate(std::size_t bytes) const override {
    if (bytes < kSmallest) return system_->allocate(bytes);
    Block* block = const_cast<Blocks*>(this)->take((bytes + kSmallest - 1) / kSmallest * kSmallest);
    return {block->memory, block, &release, c10::Device(c10::DeviceType::CPU)};
  }

  std::int64_t made() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return made_;
  }
  std::int64_t held() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return held_;
  }

 private:
  static void release(void* context);

  // The smallest kept block that is large enough and at most half as large again.
  Block* take(std::size_t bytes) {
    const std::lock_guard<std::mutex> lock(mutex_);
    const auto found = kept_.lower_bound(bytes);
    if (found != kept_.end() && found->first <= bytes + bytes / 2) {
      Block* block = found->second;
      kept_.erase(found);
      return block;
    }
    const std::size_t alignment = bytes >= kHugePage ? kHugePage : kSmallest;
    void* memory = std::aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
    if (!memory) throw std::bad_alloc();
    if (bytes >= kHugePage) madvise(memory, bytes / kHugePage * kHugePage, MADV_HUGEPAGE);
    ++made_;
    held_ += static_cast<std::int64_t>(bytes);
    return new Block{memory, bytes};
  }

  void put(Block* block) {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (users_ > 0)
      kept_.emplace(block->bytes, block);
    else
      destroy(block);
  }

  void destroy(Block* block) {
    held_ -= static_cast<std::int64_t>(block->bytes);
    std::free(block->memory);
    delete block;
  }

  std::mutex mutex_;
  c10::Allocator* system_ = nullptr;
  std::multimap<std::size_t, Block*> kept_;
  std::int64_t users_ = 0, made_ = 0, held_ = 0;
};

// Never destroyed: tensors may die after every static object.
Blocks& blocks() {
  static Blocks& all = *new Blocks;
  return all;
}

void Blocks::release(void* context) { blocks().put(static_cast<Block*>(context)); }

}  // namespace

ReusedTensorMemory::ReusedTensorMemory() { blocks().enter(); }
ReusedTensorMemory::~ReusedTensorMemory() { blocks().leave(); }
std::int64_t ReusedTensorMemory::blocks_made() { return blocks().made(); }
std::int64_t ReusedTensorMemory::bytes_held() { return blocks().held(); }

}  // namespace hyperllm::training
