#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "hyperllm/kernels/gyromidpoint.h"
#include "hyperllm/kernels/poincare_rows.h"
#include "hyperllm/manifold/fused.h"
#include "hyperllm/manifold/poincare.h"
#include "hyperllm/manifold/reference.h"

namespace hyperllm::manifold {
namespace {

using kernels::BallMap;
using torch::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

constexpr double kNoCap = std::numeric_limits<double>::infinity();

struct BallRows : public torch::autograd::Function<BallRows> {
  static Tensor forward(AutogradContext* context, const Tensor& in, BallMap map, double curvature,
                        double max_radius) {
    const Tensor rows = in.contiguous();
    context->save_for_backward({rows});
    context->saved_data["map"] = static_cast<std::int64_t>(map);
    context->saved_data["curvature"] = curvature;
    context->saved_data["max_radius"] = max_radius;
    Tensor out = torch::empty_like(rows);
    kernels::ball_map(map, const_floats(rows), rows.size(1), curvature, max_radius, floats(out));
    return out;
  }
  static variable_list backward(AutogradContext* context, variable_list grads) {
    const Tensor rows = context->get_saved_variables()[0], grad = grads[0].contiguous();
    Tensor out = torch::empty_like(rows);
    kernels::ball_map_backward(static_cast<BallMap>(context->saved_data["map"].toInt()), const_floats(rows),
                               const_floats(grad), rows.size(1), context->saved_data["curvature"].toDouble(),
                               context->saved_data["max_radius"].toDouble(), floats(out));
    return {out, Tensor(), Tensor(), Tensor()};
  }
};

// The two halves of a gyromidpoint (kernels/gyromidpoint.h), which have a cap, and a column more or less than
// they are given.
template <auto kForward, auto kBackward, std::int64_t kMoreColumns>
struct CappedRows : public torch::autograd::Function<CappedRows<kForward, kBackward, kMoreColumns>> {
  static std::int64_t dim(const Tensor& rows) {
    return rows.size(1) + std::min<std::int64_t>(kMoreColumns, 0);
  }
  static Tensor forward(AutogradContext* context, const Tensor& in, double curvature, double cap) {
    const Tensor rows = in.contiguous();
    context->save_for_backward({rows});
    context->saved_data["curvature"] = curvature;
    context->saved_data["cap"] = cap;
    Tensor out = torch::empty({rows.size(0), rows.size(1) + kMoreColumns}, rows.options());
    kForward(const_floats(rows), dim(rows), curvature, cap, floats(out));
    return out;
  }
  static variable_list backward(AutogradContext* context, variable_list grads) {
    const Tensor rows = context->get_saved_variables()[0], grad = grads[0].contiguous();
    Tensor out = torch::empty_like(rows);
    kBackward(const_floats(rows), const_floats(grad), dim(rows), context->saved_data["curvature"].toDouble(),
              context->saved_data["cap"].toDouble(), floats(out));
    return {out, Tensor(), Tensor()};
  }
};

using Lift = CappedRows<kernels::lift, kernels::lift_backward, 1>;
using MidpointTangents = CappedRows<kernels::midpoint_tangents, kernels::midpoint_tangents_backward, -1>;

// The specification of both in plain ATen.
Tensor reference_lift(const Tensor& v, double curvature, double max_radius) {
  const Tensor x = reference::expmap0(2 * std::sqrt(curvature) * v, 1, 2 * std::sqrt(curvature) * max_radius);
  return torch::cat({torch::sqrt(1 + row_dot(x, x)), x}, 1);
}

Tensor reference_midpoint_tangents(const Tensor& sums, double curvature, double max_length) {
  const double scale = 2 * std::sqrt(curvature);
  const Tensor klein = sums.narrow(1, 1, sums.size(1) - 1) / sums.narrow(1, 0, 1);
  const Tensor norm = safe_norm(klein);
  return Poincare().logmap0(norm.clamp_max(std::tanh(scale * max_length)) / norm * klein) / scale;
}

}  // namespace

Tensor ball_expmap0_rows(const Tensor& v, Curvature curvature, double max_radius) {
  if (use_kernel(v)) return BallRows::apply(v, BallMap::kExpmap0, curvature.c, max_radius);
  if (max_radius == kNoCap) return Poincare(curvature).expmap0(v);
  const Tensor length = safe_norm(v);
  return Poincare(curvature).expmap0(length.clamp_max(max_radius) / length * v);
}

Tensor ball_logmap0_rows(const Tensor& x, Curvature curvature) {
  return use_kernel(x) ? BallRows::apply(x, BallMap::kLogmap0, curvature.c, kNoCap)
                       : Poincare(curvature).logmap0(x);
}

Tensor ball_to_lorentz_rows(const Tensor& x, Curvature curvature) {
  return use_kernel(x) ? BallRows::apply(x, BallMap::kToLorentz, curvature.c, kNoCap)
                       : Poincare(curvature).to_lorentz(x);
}

Tensor lorentz_to_ball_rows(const Tensor& x, Curvature curvature) {
  return use_kernel(x) ? BallRows::apply(x, BallMap::kFromLorentz, curvature.c, kNoCap)
                       : Poincare(curvature).from_lorentz(x);
}

Tensor lift_rows(const Tensor& v, Curvature curvature, double max_radius) {
  return use_kernel(v) ? Lift::apply(v, curvature.c, max_radius) : reference_lift(v, curvature.c, max_radius);
}

Tensor midpoint_tangent_rows(const Tensor& sums, Curvature curvature, double max_length) {
  return use_kernel(sums) ? MidpointTangents::apply(sums, curvature.c, max_length)
                          : reference_midpoint_tangents(sums, curvature.c, max_length);
}

}  // namespace hyperllm::manifold
