#include "hyperllm/training/tensor_memory.h"

#include <c10/core/Allocator.h>
#include <c10/core/CPUAllocator.h>

#include <cstring>
#include <mutex>

#include "hyperllm/base/scratch.h"

namespace hyperllm::training {
namespace {

constexpr std::size_t kSmallest = 64 << 10;

// LibTorch's view of the pool of blocks.
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
    release_kept_blocks();
  }

  // Without `override`, because releases of LibTorch differ: 1.13 has allocate const; 2.13 has not, and wants
  // copy_data too. A class that lacks what is wanted does not compile.
  c10::DataPtr allocate(std::size_t bytes) const { return take(bytes); }
  c10::DataPtr allocate(std::size_t bytes) { return take(bytes); }
  void copy_data(void* to, const void* from, std::size_t bytes) const { std::memcpy(to, from, bytes); }

 private:
  c10::DataPtr take(std::size_t bytes) const {
    if (bytes < kSmallest) return system_->allocate(bytes);
    auto* block = new MemoryBlock(take_block(bytes));
    return {block->memory, block, &release, c10::Device(c10::DeviceType::CPU)};
  }

  static void release(void* context);

  bool unused() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return users_ == 0;
  }

  std::mutex mutex_;
  c10::Allocator* system_ = nullptr;
  std::int64_t users_ = 0;
};

// Never destroyed: tensors may die after every static object.
Blocks& blocks() {
  static Blocks& all = *new Blocks;
  return all;
}

void Blocks::release(void* context) {
  auto* block = static_cast<MemoryBlock*>(context);
  give_block(*block);
  delete block;
  if (blocks().unused()) release_kept_blocks();
}

}  // namespace

ReusedTensorMemory::ReusedTensorMemory() { blocks().enter(); }
ReusedTensorMemory::~ReusedTensorMemory() { blocks().leave(); }

}  // namespace hyperllm::training
