// The hyperbolic margin ranking loss (6) of the paper on squared distances, summed over triplets.
#pragma once

#include <cstdint>
#include <span>

namespace hyperllm::kernels {

// Node ids of triplets: three spans of one length, ids in [0, rows).
struct TripletIds {
  std::span<const std::int32_t> anchor, positive, negative;
  std::int64_t size() const { return static_cast<std::int64_t>(anchor.size()); }
};

// The margin of every triplet; or, adaptive, `size` times sigmoid(delta) with delta = (a0 + p0 - 1 + <a,p>_L) /
// (a0 p0) on the unit hyperboloid (HICF, Yang et al., KDD 2022), through which gradients flow.
struct Margin {
  Margin(double size_of_all, bool follows_points = false) : size(size_of_all), adaptive(follows_points) {}
  double size;
  bool adaptive;
};

// What the backward pass needs of a triplet: the times of its points and the weights of its two pairs, all 0
// where the hinge is closed.
struct TripletTerm {
  double anchor_time, positive_time, negative_time;
  double pull, push;  // d loss / dv of (anchor, positive) and of (anchor, negative), v = -c <x,y>_L
  double anchor_slope = 0, positive_slope = 0;  // d margin / d time
};

// sum over triplets of max(d^2(h_a, h_p) - d^2(h_a, h_n) + margin, 0), distances on the hyperboloid of
// curvature -c in double from space coordinates h (rows x dim), by differences, so that close pairs far from
// the origin keep their digits. `terms` receives one entry a triplet. `active`, if not null, receives the
// number of triplets with a positive loss. Same bytes for any number of threads; instruction sets agree to
// about 1e-15. NaN in a point of a triplet gives a NaN result.
double triplet_hinge(std::span<const float> h, std::int64_t dim, double curvature, const TripletIds& ids,
                     Margin margin, std::span<TripletTerm> terms, std::int64_t* active = nullptr);

// grad (rows x dim) is overwritten with `scale` times the gradient of triplet_hinge, `terms` being what that
// call left. A row's gradient is summed in double in the order of the triplets, by one thread.
void triplet_hinge_backward(std::span<const float> h, std::int64_t dim, double curvature,
                            const TripletIds& ids, std::span<const TripletTerm> terms, double scale,
                            std::span<float> grad);

}  // namespace hyperllm::kernels
