#include "hyperllm/kernels/squared_distances.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "hyperllm/kernels/squared_distances.cpp"
// clang-format off: foreach_target.h must come first
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
// clang-format on

HWY_BEFORE_NAMESPACE();
namespace hyperllm::kernels::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;
using Doubles = hn::CappedTag<double, PackedPoints::kBlock>;

constexpr std::int64_t kLanes = HWY_LANES(double);
constexpr std::int64_t kVectors = kLanes < PackedPoints::kBlock ? PackedPoints::kBlock / kLanes : 1;

HWY_ATTR void distances_of(const double* HWY_RESTRICT x, const double* HWY_RESTRICT block, std::int64_t dim,
                           std::int64_t blocks, double* HWY_RESTRICT out) {
  const Doubles d;
  const std::int64_t lanes = static_cast<std::int64_t>(hn::Lanes(d));
  for (std::int64_t b = 0; b < blocks; ++b, out += PackedPoints::kBlock) {
    hn::Vec<Doubles> sums[kVectors];
    for (std::int64_t v = 0; v < kVectors; ++v) sums[v] = hn::Zero(d);
    for (std::int64_t k = 0; k < dim; ++k, block += PackedPoints::kBlock) {
      const auto own = hn::Set(d, x[k]);
      HWY_UNROLL(8)
      for (std::int64_t v = 0; v < kVectors; ++v) {
        const auto difference = hn::Sub(own, hn::LoadU(d, block + v * lanes));
        sums[v] = hn::MulAdd(difference, difference, sums[v]);
      }
    }
    for (std::int64_t v = 0; v < kVectors; ++v) hn::StoreU(sums[v], d, out + v * lanes);
  }
}

}  // namespace hyperllm::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace hyperllm::kernels {

HWY_EXPORT(distances_of);

PackedPoints::PackedPoints(std::span<const double> rows, std::int64_t dim)
    : size_(std::ssize(rows) / dim),
      dim_(dim),
      packed_(static_cast<std::size_t>((size_ + kBlock - 1) / kBlock * kBlock * dim), 0.0) {
  for (std::int64_t i = 0; i < size_; ++i)
    for (std::int64_t k = 0; k < dim; ++k) set(i, k, rows[static_cast<std::size_t>(i * dim + k)]);
}

void PackedPoints::copy(std::int64_t point, std::span<double> row) const {
  for (std::int64_t k = 0; k < dim_; ++k) row[static_cast<std::size_t>(k)] = at(point, k);
}

void PackedPoints::remove(std::int64_t point) {
  --size_;
  for (std::int64_t k = 0; k < dim_; ++k) set(point, k, at(size_, k));
}

void squared_distances(const double* x, const PackedPoints& points, std::int64_t first, std::int64_t last,
                       double* out) {
  const std::int64_t blocks = (last - first + PackedPoints::kBlock - 1) / PackedPoints::kBlock;
  HWY_DYNAMIC_DISPATCH(distances_of)
  (x, points.block(first / PackedPoints::kBlock), points.dim(), blocks, out);
}

}  // namespace hyperllm::kernels
#endif  // HWY_ONCE
