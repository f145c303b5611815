#include "hyperllm/kernels/aligned_buffer.h"

#include <sys/mman.h>

#include <cstdint>
#include <cstdlib>
#include <new>

namespace hyperllm::kernels {
namespace {

constexpr std::size_t kHugePage = std::size_t{2} << 20;

}  // namespace

void AlignedBuffer::Free::operator()(float* values) const { std::free(values); }

float* AlignedBuffer::get(std::size_t count) {
  if (count <= capacity_) return values_.get();
  values_.reset();
  capacity_ = 0;
  const std::size_t alignment = count * sizeof(float) >= kHugePage ? kHugePage : 64;
  const std::size_t bytes = (count * sizeof(float) + alignment - 1) / alignment * alignment;
  values_.reset(static_cast<float*>(std::aligned_alloc(alignment, bytes)));
  if (!values_) throw std::bad_alloc();
  capacity_ = bytes / sizeof(float);
  advise_huge_pages(values_.get(), bytes);
  return values_.get();
}

void advise_huge_pages([[maybe_unused]] void* start, [[maybe_unused]] std::size_t bytes) {
#ifdef MADV_HUGEPAGE
  const auto address = reinterpret_cast<std::uintptr_t>(start);
  const std::uintptr_t first = (address + kHugePage - 1) / kHugePage * kHugePage,
                       last = (address + bytes) / kHugePage * kHugePage;
  if (first < last) madvise(reinterpret_cast<void*>(first), last - first, MADV_HUGEPAGE);
#endif
}

}  // namespace hyperllm::kernels
