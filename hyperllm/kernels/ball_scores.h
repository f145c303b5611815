// Scores of points of the Poincare ball of curvature -c, whose distance is
//   d(x, y) = arcosh(1 + 2 c |x - y|^2 / ((1 - c |x|^2) (1 - c |y|^2))) / sqrt(c)
// (Nickel and Kiela 2017): what is added to 1 there, times -1, falls with the distance.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace hyperllm::kernels {

inline constexpr std::int64_t kBallBlock = 16;  // items side by side

// The items, rows of dim numbers, for ball_scores: in blocks of kBallBlock, coordinate by coordinate, the
// last block filled up with zeros.
std::vector<float> pack_ball_items(std::span<const float> items, std::int64_t dim);

// out[b * items + i] = user_factor[u] item_factor[i] |x_u - y_i|^2, u = users[b], items = size of
// item_factor; the score where user_factor is -2 c / (1 - c |x|^2) and item_factor 1 / (1 - c |y|^2). x: rows
// of dim numbers, by user; packed: of pack_ball_items. From the differences themselves, in the coordinates'
// order and float32: |x|^2 + |y|^2 - 2 x.y would cancel for the near pairs that decide a ranking, and more so
// close to the rim. The last bits may differ between instruction sets. NaN and infinities are kept.
void ball_scores(const float* x, std::int64_t dim, std::span<const std::int32_t> users,
                 std::span<const float> user_factor, const float* packed, std::span<const float> item_factor,
                 float* out);

}  // namespace hyperllm::kernels
