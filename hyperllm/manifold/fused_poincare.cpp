#include <torch/csrc/autograd/custom_function.h>

#include <limits>

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

}  // namespace hyperllm::manifold
