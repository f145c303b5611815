#include "hyperllm/manifold/lorentz.h"

#include <cmath>
#include <limits>

#include "hyperllm/manifold/reference.h"

namespace hyperllm::manifold {

using torch::Tensor;

Tensor Lorentz::time(const Tensor& x) const { return torch::sqrt(1 / c_ + row_dot(x, x)); }
Tensor Lorentz::tangent_time(const Tensor& x, const Tensor& u) const { return row_dot(x, u) / time(x); }
Tensor Lorentz::to_ambient(const Tensor& x) const { return torch::cat({time(x), x}, -1); }
Tensor Lorentz::from_ambient(const Tensor& x) const { return x.narrow(-1, 1, x.size(-1) - 1); }
Tensor Lorentz::proju(const Tensor& x, const Tensor& u) const { return u + torch::zeros_like(x); }

Tensor Lorentz::inner(const Tensor& x, const Tensor& u, const Tensor& v) const {
  return row_dot(u, v) - tangent_time(x, u) * tangent_time(x, v);
}

Tensor Lorentz::norm(const Tensor& x, const Tensor& u) const {
  const double tiny = x.scalar_type() == torch::kDouble ? 1e-60 : 1e-30;
  return torch::sqrt(inner(x, u, u).clamp_min(tiny));
}

Tensor Lorentz::egrad2rgrad(const Tensor& x, const Tensor& grad) const {
  return grad + c_ * row_dot(grad, x) * x;
}

Tensor Lorentz::expmap(const Tensor& x, const Tensor& u) const {
  const Tensor z = std::sqrt(c_) * norm(x, u);
  return torch::cosh(z) * x + torch::sinh(z) / z * u;
}

Tensor Lorentz::logmap(const Tensor& x, const Tensor& y) const {
  // y - cosh(d) x with cosh(d) = 1 + t is orthogonal to x and has length sqrt(t (t + 2)).
  const Tensor t = reference::half_squared_chord(x, y, c_).unsqueeze(-1).clamp_min(0);
  const Tensor s = torch::sqrt((t * (t + 2)).clamp_min(x.scalar_type() == torch::kDouble ? 1e-60 : 1e-30));
  return torch::log1p(t + s) / s * (y - x - t * x);
}

Tensor Lorentz::transp(const Tensor& x, const Tensor& y, const Tensor& u) const {
  const Tensor yu = row_dot(y, u) - time(y) * tangent_time(x, u);
  const Tensor one_plus_cosh = 2 + reference::half_squared_chord(x, y, c_).unsqueeze(-1);
  return u + c_ * yu / one_plus_cosh * (x + y);
}

Tensor Lorentz::dist2(const Tensor& x, const Tensor& y) const {
  return acosh1p_squared(reference::half_squared_chord(x, y, c_)) / c_;
}

Tensor Lorentz::dist(const Tensor& x, const Tensor& y) const { return torch::sqrt(dist2(x, y)); }
Tensor Lorentz::dist0(const Tensor& x) const {
  return torch::asinh(std::sqrt(c_) * safe_norm(x)).squeeze(-1) / std::sqrt(c_);
}

Tensor Lorentz::expmap0(const Tensor& u) const {
  return reference::expmap0(u, c_, std::numeric_limits<double>::infinity());
}

Tensor Lorentz::logmap0(const Tensor& x) const { return reference::logmap0(x, c_); }

}  // namespace hyperllm::manifold
