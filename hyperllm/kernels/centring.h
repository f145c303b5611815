// The columns of a table moved so that their means are 0.
#pragma once

#include <cstdint>
#include <span>

namespace hyperllm::kernels {

// out = the rows of `in` less their mean: rows x dim, row-major, out may alias in. The map is its own
// transpose, so it is its own backward pass too. Means are summed in double, blocks of rows in order: same
// bytes for any number of threads. NaN in a row spoils its column.
void subtract_column_means(std::span<const float> in, std::int64_t dim, std::span<float> out);

}  // namespace hyperllm::kernels
