// The Lorentz model (hyperboloid) with geoopt's vocabulary, in space coordinates.
//
// A point is given by its d space coordinates x; its time is x0 = sqrt(1/c + |x|^2), so every x in R^d is a
// point and nothing drifts off the manifold. A tangent vector at x is given by its space part u; its time is
// <x,u>/x0. All functions act on the last dimension, broadcast over the others, take any floating type and
// are differentiable. Formulas: Nickel and Kiela 2018; Chami et al. 2019; (1), (2), (4) of the paper.
#pragma once

#include <torch/types.h>

#include "hyperllm/manifold/curvature.h"

namespace hyperllm::manifold {

class Lorentz {
 public:
  explicit Lorentz(Curvature curvature = Curvature()) : c_(curvature.c) {}

  double c() const { return c_; }
  static const char* name() { return "lorentz"; }

  torch::Tensor time(const torch::Tensor& x) const;                                  // (..., 1)
  torch::Tensor tangent_time(const torch::Tensor& x, const torch::Tensor& u) const;  // (..., 1)
  torch::Tensor to_ambient(const torch::Tensor& x) const;    // (..., d + 1), time first
  torch::Tensor from_ambient(const torch::Tensor& x) const;  // drops the time

  torch::Tensor projx(const torch::Tensor& x) const { return x; }             // every x is a point already
  torch::Tensor proju(const torch::Tensor& x, const torch::Tensor& u) const;  // every u is tangent already

  torch::Tensor inner(const torch::Tensor& x, const torch::Tensor& u,
                      const torch::Tensor& v) const;                         // (..., 1)
  torch::Tensor norm(const torch::Tensor& x, const torch::Tensor& u) const;  // (..., 1)
  torch::Tensor egrad2rgrad(const torch::Tensor& x, const torch::Tensor& grad) const;

  torch::Tensor expmap(const torch::Tensor& x, const torch::Tensor& u) const;
  torch::Tensor retr(const torch::Tensor& x, const torch::Tensor& u) const { return expmap(x, u); }
  torch::Tensor logmap(const torch::Tensor& x, const torch::Tensor& y) const;
  torch::Tensor transp(const torch::Tensor& x, const torch::Tensor& y, const torch::Tensor& u) const;

  torch::Tensor dist2(const torch::Tensor& x,
                      const torch::Tensor& y) const;  // (...); gradient finite at x = y
  torch::Tensor dist(const torch::Tensor& x,
                     const torch::Tensor& y) const;  // (...); gradient unbounded at x = y
  torch::Tensor dist0(const torch::Tensor& x) const;
  torch::Tensor expmap0(const torch::Tensor& u) const;
  torch::Tensor logmap0(const torch::Tensor& x) const;

 private:
  double c_;
};

}  // namespace hyperllm::manifold
