// One pair of points of the unit hyperboloid, in double.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace hyperllm::kernels {

struct PairDistance {
  double squared;  // d^2 = acosh(v)^2 with v = -<x,y>_L
  double slope;    // d(d^2)/dv = 2 acosh(v) / sqrt(v^2 - 1); 2 at v = 1
};

// From v - 1 = <x-y,x-y>_L / 2 >= 0. acosh(1 + t) as log1p(t + sqrt(t (t + 2))) keeps its digits near t = 0.
inline PairDistance pair_distance(double t) {
  t = t < 0 ? 0 : t;  // keeps NaN
  const double s = std::sqrt(t * (t + 2));
  const double a = std::log1p(t + s);
  return {a * a, s < 1e-5 ? 2 - 2 * t / 3 : 2 * a / s};
}

// v - 1 from space coordinates x, y and times x0, y0; `scale` multiplies both points. The difference of the
// times is rebuilt from the space parts, so that close pairs far from the origin keep their digits.
inline double half_squared_chord(const float* x, const float* y, std::int64_t dim, double x0, double y0,
                                 double scale) {
  double chord = 0, x2 = 0, y2 = 0;
  for (std::int64_t k = 0; k < dim; ++k) {
    const double a = x[k] * scale, b = y[k] * scale;
    chord += (a - b) * (a - b);
    x2 += a * a;
    y2 += b * b;
  }
  const double time = (x2 - y2) / (x0 + y0);
  return (chord - time * time) / 2;
}

inline double time_coordinate(const float* x, std::int64_t dim, double scale) {
  double squared = 0;
  for (std::int64_t k = 0; k < dim; ++k) squared += (x[k] * scale) * (x[k] * scale);
  return std::sqrt(1 + squared);
}

}  // namespace hyperllm::kernels
