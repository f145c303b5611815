// Pairs of points of the hyperboloid of curvature -c, given by their space coordinates, in double. `scale` is
// sqrt(c): times it, points lie on the unit hyperboloid.
#pragma once

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

// times[i]: of the scaled point i of x, count x dim.
void time_coordinates(const float* x, std::int64_t count, std::int64_t dim, double scale, double* times);

// chords[p] = v - 1 of x_row(p) and y_target(p) for `count` pairs, from their times too. The difference of
// the times is rebuilt from the space parts, so that close pairs far from the origin keep their digits.
void half_squared_chords(const float* x, const double* x_times, const std::int64_t* row, const float* y,
                         const double* y_times, const std::int64_t* target, std::int64_t count,
                         std::int64_t dim, double scale, double* chords);

// sums[k] = share * from[k] + weight * point[k] of `width` coordinates; sums may be from.
void add_point(double share, const double* from, double weight, const float* point, std::int64_t width,
               double* sums);

// From a sum of points weighted with dloss/dv (time component first) to the gradient with respect to the
// space coordinates of the point paired with them, whose scaled time is `time`; it depends on them as dx0/dx
// = x / x0.
void gradient_from_sums(const double* sums, const float* point, double time, std::int64_t dim, double scale,
                        float* grad);

}  // namespace hyperllm::kernels
