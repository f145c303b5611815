#include "hyperllm/kernels/centring.h"

#include <vector>

#include "hyperllm/base/parallel.h"

namespace hyperllm::kernels {
namespace {

constexpr std::int64_t kRowsPerBlock = 1024;

}  // namespace

void subtract_column_means(std::span<const float> in, std::int64_t dim, std::span<float> out) {
  const std::int64_t rows = std::ssize(in) / dim, blocks = (rows + kRowsPerBlock - 1) / kRowsPerBlock;
  if (rows == 0) return;
  std::vector<double> sums(static_cast<std::size_t>(blocks * dim));
  parallel_ranges(rows, kRowsPerBlock, [&](std::int64_t begin, std::int64_t end) {
    double* sum = sums.data() + begin / kRowsPerBlock * dim;
    for (std::int64_t row = begin; row < end; ++row) {
      const float* values = in.data() + row * dim;
      for (std::int64_t k = 0; k < dim; ++k) sum[k] += values[k];
    }
  });
  std::vector<float> mean(static_cast<std::size_t>(dim));
  for (std::int64_t k = 0; k < dim; ++k) {
    double sum = 0;
    for (std::int64_t block = 0; block < blocks; ++block) sum += sums[block * dim + k];
    mean[k] = static_cast<float>(sum / static_cast<double>(rows));
  }
  parallel_ranges(rows, kRowsPerBlock, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) {
      const float* from = in.data() + row * dim;
      float* to = out.data() + row * dim;
      for (std::int64_t k = 0; k < dim; ++k) to[k] = from[k] - mean[k];
    }
  });
}

}  // namespace hyperllm::kernels
