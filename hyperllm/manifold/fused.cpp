#include "hyperllm/manifold/fused.h"

#include <torch/csrc/autograd/custom_function.h>

#include <atomic>

#include "hyperllm/kernels/contrast.h"
#include "hyperllm/kernels/lorentz_rows.h"
#include "hyperllm/manifold/reference.h"

namespace hyperllm::manifold {
namespace {

using torch::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

std::atomic<bool> forced{false};

struct Expmap0 : public torch::autograd::Function<Expmap0> {
  static Tensor forward(AutogradContext* context, const Tensor& v, double curvature, double max_radius) {
    const Tensor input = v.contiguous();
    context->save_for_backward({input});
    context->saved_data["curvature"] = curvature;
    context->saved_data["max_radius"] = max_radius;
    Tensor out = torch::empty_like(input);
    kernels::expmap0(const_floats(input), input.size(1), curvature, max_radius, floats(out));
    return out;
  }
  static variable_list backward(AutogradContext* context, variable_list grads) {
    const Tensor v = context->get_saved_variables()[0];
    const Tensor grad = grads[0].contiguous();
    Tensor out = torch::empty_like(v);
    kernels::expmap0_backward(const_floats(v), const_floats(grad), v.size(1),
                              context->saved_data["curvature"].toDouble(),
                              context->saved_data["max_radius"].toDouble(), floats(out));
    return {out, Tensor(), Tensor()};
  }
};

struct Logmap0 : public torch::autograd::Function<Logmap0> {
  static Tensor forward(AutogradContext* context, const Tensor& x, double curvature) {
    const Tensor input = x.contiguous();
    context->save_for_backward({input});
    context->saved_data["curvature"] = curvature;
    Tensor out = torch::empty_like(input);
    kernels::logmap0(const_floats(input), input.size(1), curvature, floats(out));
    return out;
  }
  static variable_list backward(AutogradContext* context, variable_list grads) {
    const Tensor x = context->get_saved_variables()[0];
    const Tensor grad = grads[0].contiguous();
    Tensor out = torch::empty_like(x);
    kernels::logmap0_backward(const_floats(x), const_floats(grad), x.size(1),
                              context->saved_data["curvature"].toDouble(), floats(out));
    return {out, Tensor()};
  }
};

// The losses compute their gradients together with the value; backward only scales them.
Tensor scaled(const Tensor& saved, const Tensor& grad) { return saved.defined() ? saved * grad : Tensor(); }

// Keeps the ids for the backward pass, beside the kernel's terms.
struct TripletHolder : torch::CustomClassHolder {
  explicit TripletHolder(Triplets held) : triplets(std::move(held)) {}
  kernels::TripletIds ids() const { return {triplets.anchor, triplets.positive, triplets.negative}; }
  const Triplets triplets;
};

std::span<kernels::TripletTerm> terms_in(const Tensor& bytes) {
  return {static_cast<kernels::TripletTerm*>(bytes.data_ptr()),
          static_cast<std::size_t>(bytes.numel()) / sizeof(kernels::TripletTerm)};
}

struct TripletHinge : public torch::autograd::Function<TripletHinge> {
  static Tensor forward(AutogradContext* context, const Tensor& h,
                        const c10::intrusive_ptr<TripletHolder>& holder, kernels::Margin margin,
                        double curvature, HingeOver over) {
    const Tensor input = h.contiguous();
    const Tensor terms = torch::empty(
        {holder->triplets.size() * static_cast<std::int64_t>(sizeof(kernels::TripletTerm))}, torch::kByte);
    std::int64_t active = 0;
    const double loss = kernels::triplet_hinge(const_floats(input), input.size(1), curvature, holder->ids(),
                                               margin, terms_in(terms), &active);
    const double divisor = over == HingeOver::kActive && active > 0 ? static_cast<double>(active) : 1;
    context->save_for_backward({input, terms});
    context->saved_data["triplets"] = c10::IValue::make_capsule(holder);
    context->saved_data["curvature"] = curvature;
    context->saved_data["divisor"] = divisor;
    return torch::scalar_tensor(loss / divisor, torch::kDouble);
  }
  static variable_list backward(AutogradContext* context, variable_list grads) {
    const variable_list saved = context->get_saved_variables();
    const double scale = grads[0].item<double>() / context->saved_data["divisor"].toDouble();
    const auto holder =
        c10::static_intrusive_pointer_cast<TripletHolder>(context->saved_data["triplets"].toCapsule());
    Tensor grad = torch::empty_like(saved[0]);
    kernels::triplet_hinge_backward(const_floats(saved[0]), saved[0].size(1),
                                    context->saved_data["curvature"].toDouble(), holder->ids(),
                                    terms_in(saved[1]), scale, floats(grad));
    return {grad, Tensor(), Tensor(), Tensor(), Tensor()};
  }
};

struct SoftmaxContrast : public torch::autograd::Function<SoftmaxContrast> {
  static Tensor forward(AutogradContext* context, const Tensor& x, const Tensor& y,
                        const std::vector<std::int64_t>& target, double curvature, double tau,
                        const std::vector<std::int64_t>& first, std::int64_t nothing) {
    const Tensor rows = x.contiguous(), columns = y.contiguous();
    Tensor grad_rows = torch::empty_like(rows), grad_columns = torch::empty_like(columns);
    const double loss =
        kernels::softmax_contrast(const_floats(rows), const_floats(columns), target, rows.size(1), curvature,
                                  tau, floats(grad_rows), floats(grad_columns), first, nothing);
    context->save_for_backward({grad_rows, grad_columns});
    return torch::scalar_tensor(loss, torch::kDouble);
  }
  static variable_list backward(AutogradContext* context, variable_list grads) {
    const variable_list saved = context->get_saved_variables();
    const Tensor grad = grads[0].to(torch::kFloat);
    return {scaled(saved[0], grad), scaled(saved[1], grad), Tensor(), Tensor(), Tensor(), Tensor(), Tensor()};
  }
};

Tensor index_tensor(const std::vector<std::int32_t>& ids, const Tensor& like) {
  return torch::tensor(std::vector<std::int64_t>(ids.begin(), ids.end()), torch::kLong).to(like.device());
}

}  // namespace

void set_force_reference(bool on) { forced = on; }
bool force_reference() { return forced; }

bool use_kernel(const Tensor& tensor) {
  return !forced && tensor.device().is_cpu() && tensor.scalar_type() == torch::kFloat;
}

std::span<float> floats(Tensor& tensor) {
  return {tensor.data_ptr<float>(), static_cast<std::size_t>(tensor.numel())};
}
std::span<const float> const_floats(const Tensor& tensor) {
  return {tensor.data_ptr<float>(), static_cast<std::size_t>(tensor.numel())};
}

Tensor expmap0_rows(const Tensor& v, Curvature curvature, double max_radius) {
  return use_kernel(v) ? Expmap0::apply(v, curvature.c, max_radius)
                       : reference::expmap0(v, curvature.c, max_radius);
}

Tensor logmap0_rows(const Tensor& x, Curvature curvature) {
  return use_kernel(x) ? Logmap0::apply(x, curvature.c) : reference::logmap0(x, curvature.c);
}

Tensor triplet_hinge(const Tensor& h, Triplets triplets, kernels::Margin margin, Curvature curvature,
                     HingeOver over) {
  if (use_kernel(h))
    return TripletHinge::apply(h, c10::make_intrusive<TripletHolder>(std::move(triplets)), margin,
                               curvature.c, over);
  const Tensor terms =
      reference::triplet_hinge(h, index_tensor(triplets.anchor, h), index_tensor(triplets.positive, h),
                               index_tensor(triplets.negative, h), margin, curvature.c);
  return over == HingeOver::kAll ? terms.sum() : terms.sum() / terms.gt(0).sum().clamp_min(1);
}

Tensor softmax_contrast(const Tensor& x, const Tensor& y, const std::vector<std::int64_t>& target,
                        Curvature curvature, double tau, const std::vector<std::int64_t>& first,
                        std::int64_t nothing) {
  if (use_kernel(x)) return SoftmaxContrast::apply(x, y, target, curvature.c, tau, first, nothing);
  const auto on_device = [&](const std::vector<std::int64_t>& ids) {
    return torch::tensor(ids, torch::kLong).to(x.device());
  };
  const Tensor rows = first.empty() ? x : x.repeat_interleave(on_device(first).diff(), 0);
  return reference::softmax_contrast(rows, y, on_device(target), curvature.c, tau, nothing);
}

}  // namespace hyperllm::manifold
