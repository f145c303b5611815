#include "hyperllm/kernels/poincare_rows.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "hyperllm/base/parallel.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "hyperllm/kernels/poincare_rows.cpp"
// clang-format off: foreach_target.h must come first
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
// clang-format on

#include "hyperllm/kernels/row_math-inl.h"

#ifndef HYPERLLM_KERNELS_POINCARE_ROWS_TASKS
#define HYPERLLM_KERNELS_POINCARE_ROWS_TASKS
namespace hyperllm::kernels {

struct BallTask {
  BallMap map;
  const float* in;
  const float* grad;  // null: forward
  float* out;
  std::int64_t dim;
  double curvature, max_radius;
};

}  // namespace hyperllm::kernels
#endif

HWY_BEFORE_NAMESPACE();
namespace hyperllm::kernels::HWY_NAMESPACE {

template <class D>
struct Radial {
  hn::Vec<D> value, slope;  // f and its derivative over z, in z = sqrt(c) r
};

// tanh(z) / z; its slope (1 - tanh^2 - tanh / z) / z^2.
template <class D>
HWY_INLINE Radial<D> ball_exp(D d, hn::Vec<D> z, hn::Vec<D> z2) {
  const auto one = hn::Set(d, 1), most = hn::Set(d, 40);
  const auto capped = hn::IfThenElse(hn::Gt(z, most), most, z);
  const auto e = keep_nan(d, z, hn::CallExpm1(d, hn::Add(capped, capped)));
  const auto tanh = hn::Div(e, hn::Add(e, hn::Set(d, 2))), tanhc = hn::Div(tanh, z);
  const auto slope = hn::Div(hn::Sub(hn::NegMulAdd(tanh, tanh, one), tanhc), z2);
  return {hn::IfThenElse(hn::Lt(z, hn::Set(d, 1e-4)), hn::NegMulAdd(z2, hn::Set(d, 1.0 / 3), one), tanhc),
          hn::IfThenElse(hn::Lt(z, hn::Set(d, 1e-2)),
                         hn::MulAdd(z2, hn::Set(d, 8.0 / 15), hn::Set(d, -2.0 / 3)), slope)};
}

// atanh(z) / z; its slope (1 / (1 - z^2) - atanh / z) / z^2.
template <class D>
HWY_INLINE Radial<D> ball_log(D d, hn::Vec<D> z, hn::Vec<D> z2) {
  const auto one = hn::Set(d, 1), half = hn::Set(d, 0.5);
  const auto inside = hn::IfThenElse(hn::Lt(z, one), z, half);
  const auto atanh = hn::Mul(half, hn::CallLog1p(d, hn::Div(hn::Add(inside, inside), hn::Sub(one, inside))));
  const auto atanhc = hn::Div(atanh, z);
  const auto slope = hn::Div(hn::Sub(hn::Div(one, hn::Sub(one, z2)), atanhc), z2);
  return {hn::IfThenElse(hn::Lt(z, hn::Set(d, 1e-4)), hn::MulAdd(z2, hn::Set(d, 1.0 / 3), one), atanhc),
          hn::IfThenElse(hn::Lt(z, hn::Set(d, 1e-2)), hn::MulAdd(z2, hn::Set(d, 0.8), hn::Set(d, 2.0 / 3)),
                         slope)};
}

HWY_ATTR void ball_factors(const BallTask& task, const double* squares, Factors& out) {
  const Doubles d;
  const auto one = hn::Set(d, 1), two = hn::Set(d, 2), c = hn::Set(d, task.curvature);
  const double scale = std::sqrt(task.curvature), at_cap = std::tanh(scale * task.max_radius);
  for (std::int64_t i = 0; i < kTogether; i += static_cast<std::int64_t>(hn::Lanes(d))) {
    const auto square = hn::LoadU(d, squares + i), z2 = hn::Mul(c, square), z = hn::Sqrt(z2);
    Radial<Doubles> radial{one, one};
    switch (task.map) {
      case BallMap::kExpmap0: {
        radial = ball_exp(d, z, z2);
        const auto capped = hn::Gt(hn::Sqrt(square), hn::Set(d, task.max_radius));
        radial.value = hn::IfThenElse(capped, hn::Div(hn::Set(d, at_cap), z), radial.value);
        radial.slope = hn::IfThenElse(capped, hn::Neg(hn::Div(radial.value, z2)), radial.slope);
        break;
      }
      case BallMap::kLogmap0:
        radial = ball_log(d, z, z2);
        break;
      case BallMap::kToLorentz:
        radial.value = hn::Div(two, hn::Sub(one, z2));
        radial.slope = hn::Mul(radial.value, radial.value);
        break;
      case BallMap::kFromLorentz: {
        const auto time = hn::Sqrt(hn::Add(one, z2));
        radial.value = hn::Div(one, hn::Add(one, time));
        radial.slope = hn::Neg(hn::Div(hn::Mul(radial.value, radial.value), time));
        break;
      }
    }
    if (task.map == BallMap::kLogmap0 || task.map == BallMap::kToLorentz) {
      const auto nan = hn::Set(d, std::numeric_limits<double>::quiet_NaN());
      radial.value = hn::IfThenElse(hn::Lt(z2, one), radial.value, nan);
    }
    hn::StoreU(radial.value, d, out.value + i);
    hn::StoreU(hn::Mul(radial.slope, c), d, out.slope + i);
  }
}

HWY_ATTR void ball_rows(const BallTask& task, std::int64_t begin, std::int64_t end) {
  radial_rows(task.in, task.grad, task.out, task.dim, begin, end,
              [&](const double* squares, Factors& out) HWY_ATTR { ball_factors(task, squares, out); });
}

}  // namespace hyperllm::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace hyperllm::kernels {

HWY_EXPORT(ball_rows);

namespace {

void run(std::size_t floats, const BallTask& task) {
  constexpr std::int64_t kRowsPerBlock = 256;
  parallel_ranges(static_cast<std::int64_t>(floats) / task.dim, kRowsPerBlock,
                  [&](std::int64_t begin, std::int64_t end) {
                    HWY_DYNAMIC_DISPATCH(ball_rows)(task, begin, end);
                  });
}

}  // namespace

void ball_map(BallMap map, std::span<const float> in, std::int64_t dim, double curvature, double max_radius,
              std::span<float> out) {
  run(in.size(), {map, in.data(), nullptr, out.data(), dim, curvature, max_radius});
}

void ball_map_backward(BallMap map, std::span<const float> in, std::span<const float> grad_out,
                       std::int64_t dim, double curvature, double max_radius, std::span<float> grad_in) {
  run(in.size(), {map, in.data(), grad_out.data(), grad_in.data(), dim, curvature, max_radius});
}

}  // namespace hyperllm::kernels
#endif  // HWY_ONCE
