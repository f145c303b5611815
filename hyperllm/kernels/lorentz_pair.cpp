#include "hyperllm/kernels/lorentz_pair.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "hyperllm/kernels/lorentz_pair.cpp"
// clang-format off: foreach_target.h must come first
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
// clang-format on
#include <hwy/cache_control.h>

#include "hyperllm/kernels/row_math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace hyperllm::kernels::HWY_NAMESPACE {

HWY_ATTR void times_of_rows(const float* x, std::int64_t count, std::int64_t dim, double scale,
                            double* times) {
  for (std::int64_t i = 0; i < count; ++i)
    times[i] = std::sqrt(1 + scale * scale * dot(x + i * dim, x + i * dim, dim));
}

HWY_ATTR double half_squared_chord(const float* x, const float* y, std::int64_t dim, double time_sum,
                                   double scale) {
  const Doubles d;
  auto chord = hn::Zero(d), squares = hn::Zero(d);  // |x - y|^2 and |x|^2 - |y|^2
  double last_chord = 0, last_squares = 0;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  std::int64_t k = 0;
  for (; k + lanes <= dim; k += lanes) {
    const auto a = load(d, x + k), b = load(d, y + k), difference = hn::Sub(a, b);
    chord = hn::MulAdd(difference, difference, chord);
    squares = hn::MulAdd(difference, hn::Add(a, b), squares);
  }
  for (; k < dim; ++k) {
    const double a = x[k], b = y[k];
    last_chord += (a - b) * (a - b);
    last_squares += (a - b) * (a + b);
  }
  const double square = scale * scale;
  const double time = square * (hn::GetLane(hn::SumOfLanes(d, squares)) + last_squares) / time_sum;
  return (square * (hn::GetLane(hn::SumOfLanes(d, chord)) + last_chord) - time * time) / 2;
}

HWY_ATTR void chords_of_pairs(const float* x, const double* x_times, const std::int64_t* row, const float* y,
                              const double* y_times, const std::int64_t* target, std::int64_t count,
                              std::int64_t dim, double scale, double* chords) {
  constexpr std::int64_t kAhead = 8;  // targets may lie anywhere
  for (std::int64_t p = 0; p < count; ++p) {
    if (p + kAhead < count) {
      const std::int64_t next = target[p + kAhead];
      hwy::Prefetch(y_times + next);
      for (std::int64_t k = 0; k < dim; k += 16) hwy::Prefetch(y + next * dim + k);
      hwy::Prefetch(y + next * dim + dim - 1);
    }
    const std::int64_t i = row[p], t = target[p];
    chords[p] = half_squared_chord(x + i * dim, y + t * dim, dim, x_times[i] + y_times[t], scale);
  }
}

HWY_ATTR void add_rows(double share, const double* from, double weight, const float* row, std::int64_t width,
                       double* sums) {
  for_columns(width, [&](auto d, std::int64_t k) HWY_ATTR {
    const auto weighted = hn::Mul(hn::Set(d, weight), load(d, row + k));
    hn::StoreU(hn::MulAdd(hn::Set(d, share), load(d, from + k), weighted), d, sums + k);
  });
}

HWY_ATTR void gradient_of_row(const double* sums, const float* point, double time, std::int64_t dim,
                              double scale, float* grad) {
  const double radial = scale * scale * sums[0] / time;
  for_columns(dim, [&](auto d, std::int64_t k) HWY_ATTR {
    const auto towards = hn::Mul(hn::Set(d, scale), load(d, sums + k + 1));
    store(d, hn::MulSub(hn::Set(d, radial), load(d, point + k), towards), grad + k);
  });
}

}  // namespace hyperllm::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace hyperllm::kernels {

HWY_EXPORT(times_of_rows);
HWY_EXPORT(chords_of_pairs);
HWY_EXPORT(add_rows);
HWY_EXPORT(gradient_of_row);

void time_coordinates(const float* x, std::int64_t count, std::int64_t dim, double scale, double* times) {
  HWY_DYNAMIC_DISPATCH(times_of_rows)(x, count, dim, scale, times);
}

void half_squared_chords(const float* x, const double* x_times, const std::int64_t* row, const float* y,
                         const double* y_times, const std::int64_t* target, std::int64_t count,
                         std::int64_t dim, double scale, double* chords) {
  HWY_DYNAMIC_DISPATCH(chords_of_pairs)(x, x_times, row, y, y_times, target, count, dim, scale, chords);
}

void add_point(double share, const double* from, double weight, const float* point, std::int64_t width,
               double* sums) {
  HWY_DYNAMIC_DISPATCH(add_rows)(share, from, weight, point, width, sums);
}

void gradient_from_sums(const double* sums, const float* point, double time, std::int64_t dim, double scale,
                        float* grad) {
  HWY_DYNAMIC_DISPATCH(gradient_of_row)(sums, point, time, dim, scale, grad);
}

}  // namespace hyperllm::kernels
#endif  // HWY_ONCE
