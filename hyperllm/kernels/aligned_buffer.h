// Memory of kernels that is kept between steps: aligned for vectors, on huge pages where the system has them.
#pragma once

#include <cstddef>
#include <memory>

namespace hyperllm::kernels {

class AlignedBuffer {
 public:
  // At least `count` floats, aligned to 64 bytes, of unspecified content. What an earlier call returned stays
  // valid only if it was not smaller.
  float* get(std::size_t count);
  std::size_t bytes() const { return capacity_ * sizeof(float); }

 private:
  struct Free {
    void operator()(float* values) const;
  };
  std::unique_ptr<float[], Free> values_;
  std::size_t capacity_ = 0;
};

// Asks for huge pages for the whole 2 MB pages of a range; a hint that may be ignored.
void advise_huge_pages(void* start, std::size_t bytes);

}  // namespace hyperllm::kernels
