// Squared Euclidean distances from one point to many, in double.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace hyperllm::kernels {

// Rows of `dim` numbers in blocks of kBlock, coordinate by coordinate; the last block is filled up with
// zeros.
class PackedPoints {
 public:
  static constexpr std::int64_t kBlock = 16;

  PackedPoints(std::span<const double> rows, std::int64_t dim);  // dim >= 1
  std::int64_t size() const { return size_; }
  std::int64_t dim() const { return dim_; }
  double at(std::int64_t point, std::int64_t k) const { return packed_[place(point, k)]; }
  void set(std::int64_t point, std::int64_t k, double value) { packed_[place(point, k)] = value; }
  void copy(std::int64_t point, std::span<double> row) const;
  // Puts the last point in the place of this one.
  void remove(std::int64_t point);
  const double* block(std::int64_t index) const { return packed_.data() + index * kBlock * dim_; }

 private:
  std::size_t place(std::int64_t point, std::int64_t k) const {
    return static_cast<std::size_t>((point / kBlock * dim_ + k) * kBlock + point % kBlock);
  }
  std::int64_t size_, dim_;
  std::vector<double> packed_;
};

// out[i - first] = |x - points_i|^2 for i in [first, last), from the differences themselves, in the order of
// the coordinates: the distance of two points is the same to the last bit whichever of them is x. `first` is
// a multiple of kBlock; out has room for whole blocks. Instruction sets with fused multiply-add round
// otherwise.
void squared_distances(const double* x, const PackedPoints& points, std::int64_t first, std::int64_t last,
                       double* out);

}  // namespace hyperllm::kernels
