#include "hyperllm/manifold/poincare.h"

#include <cmath>

#include "hyperllm/manifold/reference.h"

namespace hyperllm::manifold {

using torch::Tensor;

namespace {

double tiny(const Tensor& x) { return x.scalar_type() == torch::kDouble ? 1e-60 : 1e-30; }

}  // namespace

Tensor Poincare::lambda_x(const Tensor& x) const { return 2 / (1 - c_ * row_dot(x, x)).clamp_min(tiny(x)); }

Tensor Poincare::mobius_add(const Tensor& x, const Tensor& y) const {
  const Tensor x2 = row_dot(x, x), y2 = row_dot(y, y), xy = row_dot(x, y);
  const Tensor numerator = (1 + 2 * c_ * xy + c_ * y2) * x + (1 - c_ * x2) * y;
  return numerator / (1 + 2 * c_ * xy + c_ * c_ * x2 * y2).clamp_min(tiny(x));
}

Tensor Poincare::gyration(const Tensor& a, const Tensor& b, const Tensor& u) const {
  const Tensor a2 = row_dot(a, a), b2 = row_dot(b, b), ab = row_dot(a, b), au = row_dot(a, u),
               bu = row_dot(b, u);
  const double k = c_ * c_;
  const Tensor wa = -k * au * b2 + c_ * bu + 2 * k * ab * bu;
  const Tensor wb = -k * bu * a2 - c_ * au;
  return u + 2 * (wa * a + wb * b) / (1 + 2 * c_ * ab + k * a2 * b2).clamp_min(tiny(a));
}

Tensor Poincare::projx(const Tensor& x) const {
  const double limit = (1 - (x.scalar_type() == torch::kDouble ? 1e-5 : 4e-3)) / std::sqrt(c_);
  const Tensor length = safe_norm(x);
  return torch::where(length > limit, x / length * limit, x);
}

Tensor Poincare::proju(const Tensor& x, const Tensor& u) const { return u + torch::zeros_like(x); }

Tensor Poincare::inner(const Tensor& x, const Tensor& u, const Tensor& v) const {
  return lambda_x(x).square() * row_dot(u, v);
}

Tensor Poincare::norm(const Tensor& x, const Tensor& u) const { return lambda_x(x) * safe_norm(u); }
Tensor Poincare::egrad2rgrad(const Tensor& x, const Tensor& grad) const {
  return grad / lambda_x(x).square();
}

Tensor Poincare::expmap(const Tensor& x, const Tensor& u) const {
  const double scale = std::sqrt(c_);
  const Tensor length = safe_norm(u);
  return mobius_add(x, torch::tanh(scale / 2 * lambda_x(x) * length) * u / (scale * length));
}

Tensor Poincare::logmap(const Tensor& x, const Tensor& y) const {
  const double scale = std::sqrt(c_);
  const Tensor difference = mobius_add(-x, y);
  const Tensor length = safe_norm(difference) * scale;
  return 2 / (scale * lambda_x(x)) * torch::atanh(length) * difference * (scale / length);
}

Tensor Poincare::transp(const Tensor& x, const Tensor& y, const Tensor& u) const {
  return gyration(y, -x, u) * (lambda_x(x) / lambda_x(y));
}

Tensor Poincare::dist2(const Tensor& x, const Tensor& y) const {
  if (x.scalar_type() == torch::kFloat)  // 1 - c |x|^2 has few digits in float32 near the boundary
    return dist2(x.to(torch::kDouble), y.to(torch::kDouble)).to(torch::kFloat);
  // (5): acosh(1 + t) with t free of cancellation, because |x - y| is computed from the difference.
  const Tensor t = c_ / 2 * (x - y).square().sum(-1) * (lambda_x(x) * lambda_x(y)).squeeze(-1);
  return acosh1p_squared(t) / c_;
}

Tensor Poincare::dist(const Tensor& x, const Tensor& y) const { return torch::sqrt(dist2(x, y)); }

Tensor Poincare::dist0(const Tensor& x) const {
  return 2 / std::sqrt(c_) * torch::atanh(std::sqrt(c_) * safe_norm(x)).squeeze(-1);
}

Tensor Poincare::expmap0(const Tensor& u) const {
  const Tensor z = std::sqrt(c_) * safe_norm(u);
  return torch::tanh(z) / z * u;
}

Tensor Poincare::logmap0(const Tensor& x) const {
  const Tensor z = std::sqrt(c_) * safe_norm(x);
  return torch::atanh(z) / z * x;
}

Tensor Poincare::to_lorentz(const Tensor& x) const { return lambda_x(x) * x; }

Tensor Poincare::from_lorentz(const Tensor& x) const { return x / (1 + torch::sqrt(1 + c_ * row_dot(x, x))); }

}  // namespace hyperllm::manifold
