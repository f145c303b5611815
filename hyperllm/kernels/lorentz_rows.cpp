#include "hyperllm/kernels/lorentz_rows.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "hyperllm/base/parallel.h"

namespace hyperllm::kernels {
namespace {

constexpr std::int64_t kRowsPerBlock = 256;

double dot(const float* a, const float* b, std::int64_t dim) {
  double sum = 0;
  for (std::int64_t k = 0; k < dim; ++k) sum += static_cast<double>(a[k]) * b[k];
  return sum;
}

template <typename Body>
void for_rows(std::size_t floats, std::int64_t dim, const Body& body) {
  parallel_ranges(static_cast<std::int64_t>(floats) / dim, kRowsPerBlock,
                  [&](std::int64_t begin, std::int64_t end) {
                    for (std::int64_t row = begin; row < end; ++row) body(row * dim);
                  });
}

// out = a * x + b * y
void combine(double a, const float* x, double b, const float* y, std::int64_t dim, float* out) {
  for (std::int64_t k = 0; k < dim; ++k) out[k] = static_cast<float>(a * x[k] + b * y[k]);
}

// sinh(z) / z and its derivative over z, ((cosh z - sinh z / z) / z^2); both even and smooth at 0.
double sinhc(double z) { return z < 1e-4 ? 1 + z * z / 6 : std::sinh(z) / z; }
double sinhc_slope(double z) {
  return z < 1e-2 ? 1.0 / 3 + z * z / 30 : (std::cosh(z) - std::sinh(z) / z) / (z * z);
}

// asinh(z) / z and its derivative over z.
double asinhc(double z) { return z < 1e-4 ? 1 - z * z / 6 : std::asinh(z) / z; }
double asinhc_slope(double z) {
  return z < 1e-2 ? -1.0 / 3 + 3 * z * z / 10 : (1 / std::sqrt(1 + z * z) - std::asinh(z) / z) / (z * z);
}

}  // namespace

void expmap0(std::span<const float> v, std::int64_t dim, double curvature, double max_radius,
             std::span<float> out) {
  const double scale = std::sqrt(curvature);
  for_rows(v.size(), dim, [&](std::int64_t at) {
    const double norm = std::sqrt(dot(&v[at], &v[at], dim));
    const double factor =
        norm > max_radius ? std::sinh(scale * max_radius) / (scale * norm) : sinhc(scale * norm);
    combine(factor, &v[at], 0, &v[at], dim, &out[at]);
  });
}

void expmap0_backward(std::span<const float> v, std::span<const float> grad_out, std::int64_t dim,
                      double curvature, double max_radius, std::span<float> grad_v) {
  const double scale = std::sqrt(curvature);
  for_rows(v.size(), dim, [&](std::int64_t at) {
    const double norm = std::sqrt(dot(&v[at], &v[at], dim));
    const double along = dot(&v[at], &grad_out[at], dim);
    if (norm > max_radius) {
      const double factor = std::sinh(scale * max_radius) / (scale * norm);
      combine(factor, &grad_out[at], -factor * along / (norm * norm), &v[at], dim, &grad_v[at]);
    } else {
      const double z = scale * norm;
      combine(sinhc(z), &grad_out[at], sinhc_slope(z) * curvature * along, &v[at], dim, &grad_v[at]);
    }
  });
}

void logmap0(std::span<const float> x, std::int64_t dim, double curvature, std::span<float> out) {
  const double scale = std::sqrt(curvature);
  for_rows(x.size(), dim, [&](std::int64_t at) {
    combine(asinhc(scale * std::sqrt(dot(&x[at], &x[at], dim))), &x[at], 0, &x[at], dim, &out[at]);
  });
}

void logmap0_backward(std::span<const float> x, std::span<const float> grad_out, std::int64_t dim,
                      double curvature, std::span<float> grad_x) {
  const double scale = std::sqrt(curvature);
  for_rows(x.size(), dim, [&](std::int64_t at) {
    const double z = scale * std::sqrt(dot(&x[at], &x[at], dim));
    const double along = dot(&x[at], &grad_out[at], dim);
    combine(asinhc(z), &grad_out[at], asinhc_slope(z) * curvature * along, &x[at], dim, &grad_x[at]);
  });
}

void lorentz_rsgd(std::span<float> x, std::span<const float> grad, std::span<float> momentum_buffer,
                  std::int64_t dim, double curvature, const RsgdStep& step) {
  parallel_ranges(
      static_cast<std::int64_t>(x.size()) / dim, kRowsPerBlock, [&](std::int64_t begin, std::int64_t end) {
        std::vector<double> velocity(dim);
        for (std::int64_t row = begin; row < end; ++row) {
          float* point = &x[row * dim];
          float* buffer = &momentum_buffer[row * dim];
          const float* gradient = &grad[row * dim];
          // Ambient weight decay (wd x, wd x0) has the Riemannian gradient 2 wd x0^2 x, that of 2 wd x in
          // space coordinates.
          const double x2 = dot(point, point, dim);
          const double along = dot(gradient, point, dim) + 2 * step.weight_decay * x2;
          double v2 = 0, xv = 0;
          for (std::int64_t k = 0; k < dim; ++k) {
            const double euclidean = gradient[k] + 2 * step.weight_decay * point[k];
            velocity[k] =
                step.momentum * buffer[k] + euclidean + curvature * along * point[k];  // G^-1 = I + c x x^T
            v2 += velocity[k] * velocity[k];
            xv += velocity[k] * point[k];
          }
          const double x0 = std::sqrt(1 / curvature + x2);
          const double v0 = xv / x0;  // tangent: <x, v>_L = 0
          const double length = step.lr * std::sqrt(std::max(v2 - v0 * v0, 0.0));
          if (length == 0) {
            for (std::int64_t k = 0; k < dim; ++k) buffer[k] = static_cast<float>(velocity[k]);
            continue;
          }
          const double z = std::sqrt(curvature) * std::min(length, step.max_radius);
          const double ch = std::cosh(z), sh = std::sinh(z) / (std::sqrt(curvature) * length) * step.lr;
          // Along the geodesic's own direction transport is exact: w(t) = cosh z v + c sinh z |v| x (signs
          // for the step -v).
          const double back = std::sinh(z) * std::sqrt(curvature) * (length / step.lr);
          for (std::int64_t k = 0; k < dim; ++k) {
            const double old = point[k];
            point[k] = static_cast<float>(ch * old - sh * velocity[k]);
            buffer[k] = static_cast<float>(ch * velocity[k] - back * old);
          }
        }
      });
}

std::int64_t saturated_rows(std::span<const float> v, std::int64_t dim, double max_radius) {
  std::int64_t count = 0;
  for (std::size_t at = 0; at < v.size(); at += dim)
    count += std::sqrt(dot(&v[at], &v[at], dim)) >= max_radius * (1 - 1e-6);
  return count;
}

}  // namespace hyperllm::kernels
