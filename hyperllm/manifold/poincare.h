// The Poincare ball with geoopt's vocabulary. A point has d coordinates with c |x|^2 < 1. All functions act
// on the last dimension, broadcast over the others, take any floating type and are differentiable. Formulas:
// Ganea et al. 2018; Ungar 2008; (3), (5) of the paper (whose ball condition |x| < -1/c should read |x|^2 <
// 1/c).
#pragma once

#include <torch/types.h>

#include "hyperllm/manifold/curvature.h"

namespace hyperllm::manifold {

class Poincare {
 public:
  explicit Poincare(Curvature curvature = Curvature()) : c_(curvature.c) {}

  double c() const { return c_; }
  static const char* name() { return "poincare"; }

  torch::Tensor lambda_x(const torch::Tensor& x) const;  // conformal factor 2 / (1 - c |x|^2), (..., 1)
  torch::Tensor mobius_add(const torch::Tensor& x, const torch::Tensor& y) const;
  torch::Tensor gyration(const torch::Tensor& a, const torch::Tensor& b, const torch::Tensor& u) const;

  // Pulls a point back into the ball: sqrt(c) |x| <= 1 - eps, eps = 4e-3 in float32 (geoopt's), 1e-5 in
  // float64.
  torch::Tensor projx(const torch::Tensor& x) const;
  torch::Tensor proju(const torch::Tensor& x, const torch::Tensor& u) const;

  torch::Tensor inner(const torch::Tensor& x, const torch::Tensor& u, const torch::Tensor& v) const;
  torch::Tensor norm(const torch::Tensor& x, const torch::Tensor& u) const;
  torch::Tensor egrad2rgrad(const torch::Tensor& x, const torch::Tensor& grad) const;

  torch::Tensor expmap(const torch::Tensor& x, const torch::Tensor& u) const;
  torch::Tensor retr(const torch::Tensor& x, const torch::Tensor& u) const { return projx(x + u); }
  torch::Tensor logmap(const torch::Tensor& x, const torch::Tensor& y) const;
  torch::Tensor transp(const torch::Tensor& x, const torch::Tensor& y, const torch::Tensor& u) const;

  torch::Tensor dist2(const torch::Tensor& x,
                      const torch::Tensor& y) const;  // (...); gradient finite at x = y
  torch::Tensor dist(const torch::Tensor& x, const torch::Tensor& y) const;
  torch::Tensor dist0(const torch::Tensor& x) const;
  torch::Tensor expmap0(const torch::Tensor& u) const;
  torch::Tensor logmap0(const torch::Tensor& x) const;

  // The isometry with the Lorentz model of the same curvature (space coordinates).
  torch::Tensor to_lorentz(const torch::Tensor& x) const;
  torch::Tensor from_lorentz(const torch::Tensor& x) const;

 private:
  double c_;
};

}  // namespace hyperllm::manifold
