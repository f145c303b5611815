// Scores of points of the Poincare ball: minus the ratio inside the arcosh of their distance.
#pragma once

#include <cstdint>
#include <span>

namespace hyperllm::kernels {

inline constexpr std::int64_t kBallBlock = 16;  // items side by side

// out[b * items + i] = user_factor[u] item_factor[i] |x_u - y_i|^2, u = users[b], items = size of
// item_factor. x: rows of dim numbers, by user; packed: the items in blocks of kBallBlock, coordinate by
// coordinate, the last block filled up with zeros. From the differences themselves, in the coordinates' order
// and float32: |x|^2 + |y|^2 - 2 x.y would cancel for the near pairs that decide a ranking, and more so close
// to the rim. The last bits may differ between instruction sets.
void ball_scores(const float* x, std::int64_t dim, std::span<const std::int32_t> users,
                 std::span<const float> user_factor, const float* packed, std::span<const float> item_factor,
                 float* out);

}  // namespace hyperllm::kernels
