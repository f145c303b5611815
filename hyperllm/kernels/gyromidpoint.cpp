#include "hyperllm/kernels/gyromidpoint.h"

#include <algorithm>
#include <cmath>

#include "hyperllm/base/parallel.h"

namespace hyperllm::kernels {
namespace {

constexpr std::int64_t kRowsPerBlock = 256;

// Four sums at once, so that one addition does not wait for the other.
double dot(const float* a, const float* b, std::int64_t dim) {
  double sums[4] = {};
  std::int64_t k = 0;
  for (; k + 4 <= dim; k += 4)
    for (std::int64_t j = 0; j < 4; ++j) sums[j] += static_cast<double>(a[k + j]) * b[k + j];
  for (; k < dim; ++k) sums[0] += static_cast<double>(a[k]) * b[k];
  return (sums[0] + sums[1]) + (sums[2] + sums[3]);
}

template <typename Row>
void for_rows(std::int64_t rows, const Row& row) {
  parallel_ranges(rows, kRowsPerBlock, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) row(i);
  });
}

// A map x -> value(r) x with r = |x|; slope: value'(r) / r.
struct Radial {
  double value, slope;
};

struct Lifted {
  double time;
  Radial space;
  bool capped;
};

// cosh(a r) and sinh(a r) / r.
Lifted lifted(double squared, double a, double max_radius) {
  const double r = std::sqrt(squared);
  if (r > max_radius) {
    const double value = std::sinh(a * max_radius) / r;
    return {std::cosh(a * max_radius), {value, -value / squared}, true};
  }
  const double y = a * r, y2 = y * y, cosh = std::cosh(y);
  const double sinhc = y < 1e-4 ? 1 + y2 / 6 : std::sinh(y) / y;
  const double slope = y < 1e-2 ? 1.0 / 3 + y2 / 30 : (cosh - sinhc) / y2;
  return {cosh, {a * sinhc, a * a * a * slope}, false};
}

struct OfSum {
  Radial space;
  double by_time;  // derivative of the value
};

// atanh(r / t) / (a r).
OfSum of_sum(double squared, double time, double a, double max_length) {
  const double r = std::sqrt(squared), ratio = r / time;
  if (ratio > std::tanh(a * max_length)) return {{max_length / r, -max_length / (r * squared)}, 0};
  const double ratio2 = ratio * ratio, rest = (1 - ratio) * (1 + ratio);
  const double atanhc = ratio < 1e-4 ? 1 + ratio2 / 3 : std::log1p(2 * ratio / (1 - ratio)) / (2 * ratio);
  const double slope = ratio < 1e-2 ? 2.0 / 3 + 0.8 * ratio2 : (1 / rest - atanhc) / ratio2;
  return {{atanhc / (a * time), slope / (a * time * time * time)}, -1 / (rest * a * time * time)};
}

double twice_root(double curvature) { return 2 * std::sqrt(curvature); }

}  // namespace

void lift(std::span<const float> v, std::int64_t dim, double curvature, double max_radius,
          std::span<float> out) {
  const double a = twice_root(curvature);
  for_rows(std::ssize(v) / dim, [&](std::int64_t i) {
    const float* from = v.data() + i * dim;
    float* to = out.data() + i * (dim + 1);
    const Lifted with = lifted(dot(from, from, dim), a, max_radius);
    to[0] = static_cast<float>(with.time);
    for (std::int64_t k = 0; k < dim; ++k) to[k + 1] = static_cast<float>(with.space.value * from[k]);
  });
}

void lift_backward(std::span<const float> v, std::span<const float> grad_out, std::int64_t dim,
                   double curvature, double max_radius, std::span<float> grad_v) {
  const double a = twice_root(curvature);
  for_rows(std::ssize(v) / dim, [&](std::int64_t i) {
    const float *from = v.data() + i * dim, *grad = grad_out.data() + i * (dim + 1);
    float* to = grad_v.data() + i * dim;
    const Lifted with = lifted(dot(from, from, dim), a, max_radius);
    const double along =
        with.space.slope * dot(from, grad + 1, dim) + (with.capped ? 0 : grad[0] * a * with.space.value);
    for (std::int64_t k = 0; k < dim; ++k)
      to[k] = static_cast<float>(with.space.value * grad[k + 1] + along * from[k]);
  });
}

void midpoint_tangents(std::span<const float> sums, std::int64_t dim, double curvature, double max_length,
                       std::span<float> out) {
  const double a = twice_root(curvature);
  for_rows(std::ssize(out) / dim, [&](std::int64_t i) {
    const float* from = sums.data() + i * (dim + 1);
    float* to = out.data() + i * dim;
    const double value = of_sum(dot(from + 1, from + 1, dim), from[0], a, max_length).space.value;
    for (std::int64_t k = 0; k < dim; ++k) to[k] = static_cast<float>(value * from[k + 1]);
  });
}

void midpoint_tangents_backward(std::span<const float> sums, std::span<const float> grad_out,
                                std::int64_t dim, double curvature, double max_length,
                                std::span<float> grad_sums) {
  const double a = twice_root(curvature);
  for_rows(std::ssize(grad_out) / dim, [&](std::int64_t i) {
    const float *from = sums.data() + i * (dim + 1), *grad = grad_out.data() + i * dim;
    float* to = grad_sums.data() + i * (dim + 1);
    const OfSum with = of_sum(dot(from + 1, from + 1, dim), from[0], a, max_length);
    const double inner = dot(from + 1, grad, dim), along = with.space.slope * inner;
    to[0] = static_cast<float>(with.by_time * inner);
    for (std::int64_t k = 0; k < dim; ++k)
      to[k + 1] = static_cast<float>(with.space.value * grad[k] + along * from[k + 1]);
  });
}

}  // namespace hyperllm::kernels
