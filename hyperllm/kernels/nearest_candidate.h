// Of the candidates drawn for each positive, the one that lies nearest to it.
#pragma once

#include <cstdint>
#include <span>

namespace hyperllm::kernels {

// nearest[i] = the id among candidates [i * per_pair, (i + 1) * per_pair) with the smallest squared Euclidean
// distance from positive[i] of the ambient (dim + 1) coordinates on the hyperboloid of curvature -c, in double;
// of equals the first. h: space coordinates, rows x dim. Sizes: positive and nearest alike, candidates
// per_pair >= 1 times that. A NaN is never nearer than what stands before it.
template <typename T>  // float or double
void nearest_candidates(std::span<const T> h, std::int64_t dim, double curvature,
                        std::span<const std::int32_t> positive, std::span<const std::int32_t> candidates,
                        std::int64_t per_pair, std::span<std::int32_t> nearest);

}  // namespace hyperllm::kernels
