#include "hyperllm/kernels/lorentz_rows.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "hyperllm/base/parallel.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "hyperllm/kernels/lorentz_rows.cpp"
// clang-format off: foreach_target.h must come first
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
// clang-format on

#include "hyperllm/kernels/row_math-inl.h"

#ifndef HYPERLLM_KERNELS_LORENTZ_ROWS_TASKS
#define HYPERLLM_KERNELS_LORENTZ_ROWS_TASKS
namespace hyperllm::kernels {

// out = f(|v|) v, or the gradient f g + s (v . g) v if there is a grad; f of the exponential or the
// logarithmic map.
struct RadialTask {
  const float* v;
  const float* grad;
  float* out;
  std::int64_t dim;
  double curvature, max_radius;
  bool logarithm;
};

struct RsgdTask {
  float* x;
  float* tangents;  // null: grad is that of x
  const float* grad;
  float* buffer;
  std::int64_t dim;
  double curvature;
  RsgdStep step;
};

constexpr std::int64_t kRowsPerBlock = 256;

}  // namespace hyperllm::kernels
#endif

HWY_BEFORE_NAMESPACE();
namespace hyperllm::kernels::HWY_NAMESPACE {

// sinh(z) / z and its derivative over z, (cosh z - sinh z / z) / z^2; both even and smooth at 0.
HWY_ATTR void exp_factors(const double* squares, double curvature, double max_radius, Factors& out) {
  const Doubles d;
  const double scale = std::sqrt(curvature), at_cap = std::sinh(std::min(scale * max_radius, 700.0));
  for (std::int64_t i = 0; i < kTogether; i += static_cast<std::int64_t>(hn::Lanes(d))) {
    const auto square = hn::LoadU(d, squares + i), norm = hn::Sqrt(square);
    const auto z = hn::Mul(hn::Set(d, scale), norm), z2 = hn::Mul(z, z);
    const auto both = sinh_cosh(d, z);
    const auto sinhc = hn::Div(both.sinh, z);
    auto value = hn::IfThenElse(hn::Lt(z, hn::Set(d, 1e-4)),
                                hn::MulAdd(z2, hn::Set(d, 1.0 / 6), hn::Set(d, 1)), sinhc);
    auto slope =
        hn::IfThenElse(hn::Lt(z, hn::Set(d, 1e-2)), hn::MulAdd(z2, hn::Set(d, 1.0 / 30), hn::Set(d, 1.0 / 3)),
                       hn::Div(hn::Sub(both.cosh, sinhc), z2));
    slope = hn::Mul(slope, hn::Set(d, curvature));
    const auto capped = hn::Gt(norm, hn::Set(d, max_radius));
    value = hn::IfThenElse(capped, hn::Div(hn::Set(d, at_cap), z), value);
    slope = hn::IfThenElse(capped, hn::Neg(hn::Div(value, square)), slope);
    hn::StoreU(value, d, out.value + i);
    hn::StoreU(slope, d, out.slope + i);
  }
}

// asinh(z) / z and its derivative over z.
HWY_ATTR void log_factors(const double* squares, double curvature, Factors& out) {
  const Doubles d;
  for (std::int64_t i = 0; i < kTogether; i += static_cast<std::int64_t>(hn::Lanes(d))) {
    const auto z2 = hn::Mul(hn::Set(d, curvature), hn::LoadU(d, squares + i)), z = hn::Sqrt(z2);
    const auto one = hn::Set(d, 1);
    const auto asinhc = hn::Div(asinh(d, z), z);
    const auto value =
        hn::IfThenElse(hn::Lt(z, hn::Set(d, 1e-4)), hn::NegMulAdd(z2, hn::Set(d, 1.0 / 6), one), asinhc);
    const auto slope =
        hn::IfThenElse(hn::Lt(z, hn::Set(d, 1e-2)), hn::MulAdd(z2, hn::Set(d, 0.3), hn::Set(d, -1.0 / 3)),
                       hn::Div(hn::Sub(hn::Div(one, hn::Sqrt(hn::Add(one, z2))), asinhc), z2));
    hn::StoreU(value, d, out.value + i);
    hn::StoreU(hn::Mul(slope, hn::Set(d, curvature)), d, out.slope + i);
  }
}

HWY_ATTR void map_rows(const RadialTask& task, std::int64_t begin, std::int64_t end) {
  radial_rows(task.v, task.grad, task.out, task.dim, begin, end,
              [&](const double* squares, Factors& out) HWY_ATTR {
                if (task.logarithm)
                  log_factors(squares, task.curvature, out);
                else
                  exp_factors(squares, task.curvature, task.max_radius, out);
              });
}

// What carries a point and its velocity along the geodesic: x' = ch x - sh v, v' = ch v - back x.
struct Motion {
  HWY_ALIGN double ch[kTogether];
  HWY_ALIGN double sh[kTogether];
  HWY_ALIGN double back[kTogether];
};

HWY_ATTR void motions(const RsgdTask& task, const double* squares, const double* v2, const double* xv,
                      Motion& out) {
  const Doubles d;
  const auto c = hn::Set(d, task.curvature), root = hn::Set(d, std::sqrt(task.curvature)),
             lr = hn::Set(d, task.step.lr), cap = hn::Set(d, task.step.max_radius);
  for (std::int64_t i = 0; i < kTogether; i += static_cast<std::int64_t>(hn::Lanes(d))) {
    // Tangent: <x, v>_L = 0, so that v0 = x . v / x0.
    const auto along = hn::LoadU(d, xv + i);
    const auto time2 = hn::Add(hn::Div(hn::Set(d, 1), c), hn::LoadU(d, squares + i));
    const auto norm2 = hn::Sub(hn::LoadU(d, v2 + i), hn::Div(hn::Mul(along, along), time2));
    const auto still = hn::Le(norm2, hn::Zero(d));
    const auto norm = hn::Sqrt(hn::IfThenZeroElse(still, norm2)), length = hn::Mul(lr, norm);
    const auto moved = hn::IfThenElse(hn::Gt(length, cap), cap, length);  // keeps NaN
    const auto both = sinh_cosh(d, hn::Mul(root, moved));
    const auto sh = hn::Div(both.sinh, hn::Mul(root, norm));
    hn::StoreU(both.cosh, d, out.ch + i);
    hn::StoreU(hn::IfThenZeroElse(still, sh), d, out.sh + i);
    // Along the geodesic's own direction transport is exact: v(t) = cosh z v + c sinh z |v| x (signs for the
    // step -v).
    hn::StoreU(hn::Mul(both.sinh, hn::Mul(root, norm)), d, out.back + i);
  }
}

HWY_ATTR void rsgd_rows(const RsgdTask& task, double* velocities, std::int64_t begin, std::int64_t end) {
  const std::int64_t dim = task.dim;
  const double decay = 2 * task.step.weight_decay, c = task.curvature;
  HWY_ALIGN double squares[kTogether] = {}, v2[kTogether] = {}, xv[kTogether] = {};
  Factors factors;
  Motion motion;
  for (std::int64_t first = begin; first < end; first += kTogether) {
    const std::int64_t rows = std::min(kTogether, end - first);
    for (std::int64_t r = 0; r < rows; ++r) {
      const float* x = task.x + (first + r) * dim;
      squares[r] = dot(x, x, dim);
    }
    if (task.tangents) log_factors(squares, c, factors);
    for (std::int64_t r = 0; r < rows; ++r) {
      const float *x = task.x + (first + r) * dim, *grad = task.grad + (first + r) * dim,
                  *buffer = task.buffer + (first + r) * dim;
      double* velocity = velocities + r * dim;
      // Euclidean gradient: value g + radial x. Ambient weight decay (wd x, wd x0) has the Riemannian
      // gradient 2 wd x0^2 x, that of 2 wd x in space coordinates. G^-1 = I + c x x^T.
      const double xg = dot(x, grad, dim);
      const double value = task.tangents ? factors.value[r] : 1;
      const double radial = (task.tangents ? factors.slope[r] * xg : 0) + decay;
      const double along = value * xg + radial * squares[r];
      const double of_x = radial + c * along;
      for_columns(dim, [&](auto d, std::int64_t k) HWY_ATTR {
        auto sum = hn::Mul(hn::Set(d, task.step.momentum), load(d, buffer + k));
        sum = hn::MulAdd(hn::Set(d, value), load(d, grad + k), sum);
        hn::StoreU(hn::MulAdd(hn::Set(d, of_x), load(d, x + k), sum), d, velocity + k);
      });
      v2[r] = dot(velocity, velocity, dim);
      xv[r] = dot(x, velocity, dim);
    }
    motions(task, squares, v2, xv, motion);
    for (std::int64_t r = 0; r < rows; ++r) {
      float *x = task.x + (first + r) * dim, *buffer = task.buffer + (first + r) * dim;
      const double* velocity = velocities + r * dim;
      const double ch = motion.ch[r], sh = motion.sh[r], back = motion.back[r];
      for_columns(dim, [&](auto d, std::int64_t k) HWY_ATTR {
        const auto old = load(d, x + k), v = load(d, velocity + k), cosh = hn::Set(d, ch);
        store(d, hn::NegMulAdd(hn::Set(d, sh), v, hn::Mul(cosh, old)), x + k);
        store(d, hn::NegMulAdd(hn::Set(d, back), old, hn::Mul(cosh, v)), buffer + k);
      });
      squares[r] = task.tangents ? dot(x, x, dim) : 0;
    }
    if (!task.tangents) continue;
    log_factors(squares, c, factors);
    for (std::int64_t r = 0; r < rows; ++r) {
      const float* x = task.x + (first + r) * dim;
      float* tangent = task.tangents + (first + r) * dim;
      for_columns(dim, [&](auto d, std::int64_t k) HWY_ATTR {
        store(d, hn::Mul(hn::Set(d, factors.value[r]), load(d, x + k)), tangent + k);
      });
    }
  }
}

}  // namespace hyperllm::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace hyperllm::kernels {

HWY_EXPORT(map_rows);
HWY_EXPORT(rsgd_rows);

namespace {

void radial(std::size_t floats, const RadialTask& task) {
  parallel_ranges(static_cast<std::int64_t>(floats) / task.dim, kRowsPerBlock,
                  [&](std::int64_t begin, std::int64_t end) {
                    HWY_DYNAMIC_DISPATCH(map_rows)(task, begin, end);
                  });
}

void rsgd(std::size_t floats, const RsgdTask& task) {
  parallel_ranges(static_cast<std::int64_t>(floats) / task.dim, kRowsPerBlock,
                  [&](std::int64_t begin, std::int64_t end) {
                    thread_local std::vector<double> velocities;
                    velocities.resize(static_cast<std::size_t>(16 * task.dim));
                    HWY_DYNAMIC_DISPATCH(rsgd_rows)(task, velocities.data(), begin, end);
                  });
}

}  // namespace

void expmap0(std::span<const float> v, std::int64_t dim, double curvature, double max_radius,
             std::span<float> out) {
  radial(v.size(), {v.data(), nullptr, out.data(), dim, curvature, max_radius, false});
}

void expmap0_backward(std::span<const float> v, std::span<const float> grad_out, std::int64_t dim,
                      double curvature, double max_radius, std::span<float> grad_v) {
  radial(v.size(), {v.data(), grad_out.data(), grad_v.data(), dim, curvature, max_radius, false});
}

void logmap0(std::span<const float> x, std::int64_t dim, double curvature, std::span<float> out) {
  radial(x.size(), {x.data(), nullptr, out.data(), dim, curvature, kNoCap, true});
}

void logmap0_backward(std::span<const float> x, std::span<const float> grad_out, std::int64_t dim,
                      double curvature, std::span<float> grad_x) {
  radial(x.size(), {x.data(), grad_out.data(), grad_x.data(), dim, curvature, kNoCap, true});
}

void lorentz_rsgd(std::span<float> x, std::span<const float> grad, std::span<float> momentum_buffer,
                  std::int64_t dim, double curvature, const RsgdStep& step) {
  rsgd(x.size(), {x.data(), nullptr, grad.data(), momentum_buffer.data(), dim, curvature, step});
}

void lorentz_rsgd_of_tangents(std::span<float> x, std::span<float> tangents, std::span<const float> grad,
                              std::span<float> momentum_buffer, std::int64_t dim, double curvature,
                              const RsgdStep& step) {
  rsgd(x.size(), {x.data(), tangents.data(), grad.data(), momentum_buffer.data(), dim, curvature, step});
}

}  // namespace hyperllm::kernels
#endif  // HWY_ONCE
