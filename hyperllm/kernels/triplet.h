// The hyperbolic margin ranking loss (6) of the paper on squared distances, summed over triplets.
#pragma once

#include <cstdint>
#include <span>

namespace hyperllm::kernels {

// sum over triplets of max(d^2(h_a, h_p) - d^2(h_a, h_n) + margin, 0), distances on the hyperboloid of
// curvature -c in double from space coordinates h (rows x dim). The three id spans have one length, ids in
// [0, rows). If `grad` is not empty the gradient is *added* to it (rows x dim). `active`, if not null,
// receives the number of triplets with a positive loss.
double triplet_hinge(std::span<const float> h, std::int64_t dim, double curvature,
                     std::span<const std::int32_t> anchor, std::span<const std::int32_t> positive,
                     std::span<const std::int32_t> negative, double margin, std::span<float> grad,
                     std::int64_t* active = nullptr);

}  // namespace hyperllm::kernels
