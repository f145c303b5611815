#include <torch/csrc/autograd/custom_function.h>

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

struct Lift : public torch::autograd::Function<Lift> {
  static Tensor forward(AutogradContext* context, const Tensor& v, double curvature, double max_radius) {
    const Tensor rows = v.contiguous();
    context->save_for_backward({rows});
    context->saved_data["curvature"] = curvature;
    context->saved_data["max_radius"] = max_radius;
    Tensor out = torch::empty({rows.size(0), rows.size(1) + 1}, rows.options());
    kernels::lift(const_floats(rows), rows.size(1), curvature, max_radius, floats(out));
    return out;
  }
  static variable_list backward(AutogradContext* context, variable_list grads) {
    const Tensor rows = context->get_saved_variables()[0], grad = grads[0].contiguous();
    Tensor out = torch::empty_like(rows);
    kernels::lift_backward(const_floats(rows), const_floats(grad), rows.size(1),
                           context->saved_data["curvature"].toDouble(),
                           context->saved_data["max_radius"].toDouble(), floats(out));
    return {out, Tensor(), Tensor()};
  }
};

struct MidpointTangents : public torch::autograd::Function<MidpointTangents> {
  static Tensor forward(AutogradContext* context, const Tensor& sums, double curvature, double max_length) {
    const Tensor rows = sums.contiguous();
    context->save_for_backward({rows});
    context->saved_data["curvature"] = curvature;
    context->saved_data["max_length"] = max_length;
    Tensor out = torch::empty({rows.size(0), rows.size(1) - 1}, rows.options());
    kernels::midpoint_tangents(const_floats(rows), out.size(1), curvature, max_length, floats(out));
    return out;
  }
  static variable_list backward(AutogradContext* context, variable_list grads) {
    const Tensor rows = context->get_saved_variables()[0], grad = grads[0].contiguous();
    Tensor out = torch::empty_like(rows);
    kernels::midpoint_tangents_backward(const_floats(rows), const_floats(grad), grad.size(1),
                                        context->saved_data["curvature"].toDouble(),
                                        context->saved_data["max_length"].toDouble(), floats(out));
    return {out, Tensor(), Tensor()};
  }
};

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
