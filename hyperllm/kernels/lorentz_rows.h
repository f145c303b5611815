// Row-wise maps between the tangent space at the origin and the hyperboloid of curvature -c, forward and
// backward, and the Riemannian SGD step. Points are given by their space coordinates; every row is computed
// in double (hub rows reach norms where float32 Lorentz products lose four digits). All spans are rows x dim,
// row-major; outputs may alias inputs only where said. Rows are independent: NaN spoils its own row and no
// other. Same bytes for any number of threads; instruction sets agree to about 1e-7.
#pragma once

#include <cstdint>
#include <limits>
#include <span>

namespace hyperllm::kernels {

inline constexpr double kNoCap = std::numeric_limits<double>::infinity();

// out = sinh(r) / r * v (c = 1) with r = min(|v|, max_radius): the exponential map at the origin, capped.
void expmap0(std::span<const float> v, std::int64_t dim, double curvature, double max_radius,
             std::span<float> out);
// grad_v from grad_out; along a capped row the radial part is zero.
void expmap0_backward(std::span<const float> v, std::span<const float> grad_out, std::int64_t dim,
                      double curvature, double max_radius, std::span<float> grad_v);

// out = asinh(|x|) / |x| * x (c = 1): the logarithmic map at the origin.
void logmap0(std::span<const float> x, std::int64_t dim, double curvature, std::span<float> out);
void logmap0_backward(std::span<const float> x, std::span<const float> grad_out, std::int64_t dim,
                      double curvature, std::span<float> grad_x);

// One step of Riemannian SGD with momentum (Bonnabel 2013; geoopt's RiemannianSGD): weight decay added to the
// Euclidean gradient of the ambient coordinates, conversion to the Riemannian gradient, momentum, exponential
// map with step length capped at max_radius, momentum transported along the geodesic. `momentum_buffer`
// (space parts of tangent vectors at x) and x are updated in place. grad: Euclidean gradient with respect to
// the space coordinates.
struct RsgdStep {
  double lr = 1e-3;            // > 0
  double momentum = 0.95;      // [0, 1)
  double weight_decay = 5e-4;  // >= 0
  double max_radius = kNoCap;
};
void lorentz_rsgd(std::span<float> x, std::span<const float> grad, std::span<float> momentum_buffer,
                  std::int64_t dim, double curvature, const RsgdStep& step);

// The same where the loss was differentiated in the tangent vectors logmap0(x): the backward pass of that
// map, the step, and the map of the new points, in one pass over the rows. `tangents` is overwritten with
// logmap0 of the new x. grad: Euclidean gradient with respect to the tangents.
void lorentz_rsgd_of_tangents(std::span<float> x, std::span<float> tangents, std::span<const float> grad,
                              std::span<float> momentum_buffer, std::int64_t dim, double curvature,
                              const RsgdStep& step);

}  // namespace hyperllm::kernels
