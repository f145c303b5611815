#include "hyperllm/manifold/reference.h"

#include <torch/csrc/autograd/custom_function.h>

#include <cmath>
#include <limits>

namespace hyperllm::manifold {
namespace {

using torch::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// A node of its own, because differentiating log1p and sqrt separately gives 0 * infinity at 0. The backward
// pass is made of differentiable operations away from 0.
struct Acosh1pSquared : public torch::autograd::Function<Acosh1pSquared> {
  static Tensor forward(AutogradContext* context, const Tensor& t) {
    const Tensor clamped = t.clamp_min(0);
    context->save_for_backward({t});  // an input: second derivatives reach it
    return torch::log1p(clamped + torch::sqrt(clamped * (clamped + 2))).square();
  }
  static variable_list backward(AutogradContext* context, variable_list grads) {
    const Tensor t = context->get_saved_variables()[0].clamp_min(0);
    const Tensor s = torch::sqrt(t * (t + 2));
    const Tensor slope = torch::where(s < 1e-5, 2 - 2 * t / 3, 2 * torch::log1p(t + s) / s.clamp_min(1e-30));
    return {grads[0] * slope};
  }
};

Tensor time_part(const Tensor& x, double curvature) {
  return torch::sqrt(1 / curvature + x.square().sum(-1, true));
}

}  // namespace

Tensor acosh1p_squared(const Tensor& t) { return Acosh1pSquared::apply(t); }

Tensor row_dot(const Tensor& a, const Tensor& b) { return (a * b).sum(-1, true); }

Tensor safe_norm(const Tensor& x) {
  const double tiny = x.scalar_type() == torch::kDouble ? 1e-60 : 1e-30;
  return torch::sqrt(x.square().sum(-1, true).clamp_min(tiny));
}

namespace reference {

Tensor expmap0(const Tensor& v, double curvature, double max_radius) {
  const double scale = std::sqrt(curvature);
  const Tensor r = safe_norm(v);
  Tensor capped = r;
  if (max_radius < std::numeric_limits<double>::infinity()) capped = r.clamp_max(max_radius);
  return torch::sinh(scale * capped) / (scale * r) * v;
}

Tensor logmap0(const Tensor& x, double curvature) {
  const double scale = std::sqrt(curvature);
  const Tensor r = safe_norm(x) * scale;
  return torch::asinh(r) / r * x;
}

Tensor half_squared_chord(const Tensor& x, const Tensor& y, double curvature) {
  // Two points on one ray: the squares below nearly cancel, and float32 would leave no digit at radius 6.
  if (x.scalar_type() == torch::kFloat)
    return half_squared_chord(x.to(torch::kDouble), y.to(torch::kDouble), curvature).to(torch::kFloat);
  const Tensor time_difference = (x.square().sum(-1) - y.square().sum(-1)) /
                                 (time_part(x, curvature) + time_part(y, curvature)).squeeze(-1);
  return curvature * ((x - y).square().sum(-1) - time_difference.square()) / 2;
}

Tensor triplet_hinge(const Tensor& h, const Tensor& anchor, const Tensor& positive, const Tensor& negative,
                     kernels::Margin margin, double curvature) {
  const Tensor a = h.index_select(0, anchor), p = h.index_select(0, positive);
  const Tensor chord = half_squared_chord(a, p, curvature);
  const auto dist2 = [&](const Tensor& half_squared) { return acosh1p_squared(half_squared) / curvature; };
  const Tensor apart = dist2(chord) - dist2(half_squared_chord(a, h.index_select(0, negative), curvature));
  if (!margin.adaptive) return torch::relu(apart + margin.size);
  const auto unit_time = [&](const Tensor& x) {
    return (time_part(x, curvature) * std::sqrt(curvature)).squeeze(-1);
  };
  const Tensor a_time = unit_time(a), p_time = unit_time(p),
               delta = (a_time + p_time - 2 - chord) / (a_time * p_time);
  return torch::relu(apart + margin.size * torch::sigmoid(delta));
}

Tensor softmax_contrast(const Tensor& x, const Tensor& y, const Tensor& target, double curvature, double tau,
                        std::int64_t nothing) {
  const Tensor logits =
      -acosh1p_squared(half_squared_chord(x.unsqueeze(1), y.unsqueeze(0), curvature)) / (curvature * tau);
  if (nothing == 0)
    return (torch::logsumexp(logits, 1) - logits.gather(1, target.unsqueeze(1)).squeeze(1)).sum();
  const Tensor none = torch::zeros({x.size(0), 1}, x.options());  // e^0, `nothing` times
  const Tensor sums = torch::logsumexp(torch::cat({logits, none + std::log(nothing)}, 1), 1);
  const Tensor column = torch::where(target < 0, torch::full_like(target, y.size(0)), target);
  return (sums - torch::cat({logits, none}, 1).gather(1, column.unsqueeze(1)).squeeze(1)).sum();
}

}  // namespace reference
}  // namespace hyperllm::manifold
