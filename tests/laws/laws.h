// What a manifold must satisfy, as functions that return what is wrong ("" if nothing is), so that planted
// faults can be shown to be found.
#pragma once

#include <torch/types.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "hyperllm/manifold/lorentz.h"
#include "hyperllm/manifold/poincare.h"

namespace hyperllm::manifold::laws {

using torch::Tensor;

// Three points a row, two tangent vectors and a Euclidean gradient at x.
struct Samples {
  Tensor x, y, z, u, v, gradient;
  double tolerance;  // relative to the largest value compared
};

inline bool is_lorentz(const Lorentz&) { return true; }
inline bool is_lorentz(const Poincare&) { return false; }

// Points at distance `radius` of the origin, by the definition of the models.
template <typename Manifold>
Tensor points(const Manifold& manifold, const Tensor& direction, const Tensor& radius) {
  const double scale = std::sqrt(manifold.c());
  const Tensor unit = direction / direction.square().sum(-1, true).sqrt();
  return is_lorentz(manifold) ? torch::sinh(scale * radius) / scale * unit
                              : torch::tanh(scale * radius / 2) / scale * unit;
}

template <typename Manifold>
Samples make_samples(const Manifold& manifold, torch::ScalarType type) {
  torch::manual_seed(17);
  const auto random = [] { return torch::randn({40, 5}, torch::kDouble); };
  const double unit = 1 / std::sqrt(manifold.c());
  const auto lengths = [&](double most) { return most * unit * torch::rand({40, 1}, torch::kDouble); };
  const auto point = [&] { return points(manifold, random(), lengths(2)); };
  Samples s{point(), point(), point(), random(), random(), random(), type == torch::kDouble ? 1e-10 : 2e-4};
  // Tangent vectors of a Riemannian length up to 1.5 (in units of the curvature), so that float32 keeps its
  // digits.
  for (Tensor* tangent : {&s.u, &s.v}) *tangent = *tangent / manifold.norm(s.x, *tangent) * lengths(1.5);
  for (Tensor* tensor : {&s.x, &s.y, &s.z, &s.u, &s.v, &s.gradient}) *tensor = tensor->to(type);
  return s;
}

// "" if a and b agree within tolerance * max(1, |b|).
inline std::string same(const char* what, const Tensor& a, const Tensor& b, double tolerance) {
  if (a.sizes() != b.sizes()) return std::string(what) + ": shapes differ";
  const double error = (a - b).abs().max().item<double>();
  const double size = std::max(1.0, b.abs().max().item<double>());
  if (error <= tolerance * size) return "";  // NaN fails
  return std::string(what) + ": off by " + std::to_string(error) + " at size " + std::to_string(size) + "; ";
}

inline std::string holds(const char* what, const Tensor& condition) {
  return condition.all().item<bool>() ? "" : std::string(what) + " does not hold; ";
}

template <typename M>
std::string exp_and_log_are_inverse(const M& m, const Samples& s) {
  return same("log(exp(u)) = u", m.logmap(s.x, m.expmap(s.x, s.u)), s.u, s.tolerance) +
         same("exp(log(y)) = y", m.expmap(s.x, m.logmap(s.x, s.y)), s.y, s.tolerance);
}

template <typename M>
std::string maps_at_the_origin_are_special_cases(const M& m, const Samples& s) {
  const Tensor origin = torch::zeros_like(s.x);
  return same("exp0", m.expmap0(s.u), m.expmap(origin, s.u), s.tolerance) +
         same("log0", m.logmap0(s.y), m.logmap(origin, s.y), s.tolerance) +
         same("log0(exp0(u)) = u", m.logmap0(m.expmap0(s.u)), s.u, s.tolerance) +
         same("dist0", m.dist0(s.y), m.dist(origin, s.y), s.tolerance) +
         same("exp0(0) = 0", m.expmap0(origin), origin, 0) +
         same("log0(0) = 0", m.logmap0(origin), origin, 0) +
         same("exp(x, 0) = x", m.expmap(s.x, origin), s.x, s.tolerance);
}

template <typename M>
std::string distance_is_the_length_of_the_logarithm(const M& m, const Samples& s) {
  const Tensor length = m.norm(s.x, m.logmap(s.x, s.y)).squeeze(-1);
  return same("dist", m.dist(s.x, s.y), length, s.tolerance) +
         same("dist2", m.dist2(s.x, s.y), length.square(), 4 * s.tolerance);
}

template <typename M>
std::string distance_is_a_metric(const M& m, const Samples& s) {
  const Tensor xy = m.dist(s.x, s.y), yz = m.dist(s.y, s.z), xz = m.dist(s.x, s.z);
  return same("symmetry", xy, m.dist(s.y, s.x), s.tolerance) + holds("d(x,y) > 0", xy > 0) +
         holds("triangle inequality", xz <= xy + yz + s.tolerance) +
         same("d(x,x) = 0", m.dist(s.x, s.x), torch::zeros_like(xy), 0) +
         same("d2(x,x) = 0", m.dist2(s.x, s.x), torch::zeros_like(xy), 0);
}

// acosh of the textbook, in double and without any rearrangement: (4) and (5) of the paper.
template <typename M>
std::string distance_is_the_textbook_one(const M& m, const Samples& s) {
  const Tensor x = s.x.to(torch::kDouble).contiguous(), y = s.y.to(torch::kDouble).contiguous();
  const auto a = x.accessor<double, 2>(), b = y.accessor<double, 2>();
  std::vector<double> expected;
  for (std::int64_t i = 0; i < x.size(0); ++i) {
    double xx = 0, yy = 0, xy = 0;
    for (std::int64_t k = 0; k < x.size(1); ++k)
      xx += a[i][k] * a[i][k], yy += b[i][k] * b[i][k], xy += a[i][k] * b[i][k];
    const double c = m.c();
    const double cosh_lorentz = c * (std::sqrt(1 / c + xx) * std::sqrt(1 / c + yy) - xy);
    const double cosh_ball = 1 + 2 * c * (xx - 2 * xy + yy) / ((1 - c * xx) * (1 - c * yy));
    expected.push_back(std::acosh(is_lorentz(m) ? cosh_lorentz : cosh_ball) / std::sqrt(c));
  }
  return same("textbook distance", m.dist(s.x, s.y).to(torch::kDouble),
              torch::tensor(expected, torch::kDouble), s.tolerance);
}

template <typename M>
std::string geodesics_have_constant_speed(const M& m, const Samples& s) {
  std::string wrong;
  const Tensor log = m.logmap(s.x, s.y), whole = m.dist(s.x, s.y);
  for (double t : {0.25, 0.5, 0.9}) {
    const Tensor between = m.expmap(s.x, t * log);
    wrong += same("d(x, g(t)) = t d", m.dist(s.x, between), t * whole, s.tolerance) +
             same("d(g(t), y) = (1-t) d", m.dist(between, s.y), (1 - t) * whole, s.tolerance);
  }
  return wrong;
}

template <typename M>
std::string transport_is_an_isometry(const M& m, const Samples& s) {
  const Tensor u = m.transp(s.x, s.y, s.u), v = m.transp(s.x, s.y, s.v);
  return same("<Tu,Tv> = <u,v>", m.inner(s.y, u, v), m.inner(s.x, s.u, s.v), s.tolerance) +
         same("|Tu| = |u|", m.norm(s.y, u), m.norm(s.x, s.u), s.tolerance) +
         same("linear", m.transp(s.x, s.y, s.u + 2 * s.v), u + 2 * v, s.tolerance) +
         same("T(x,x) = identity", m.transp(s.x, s.x, s.u), s.u, s.tolerance);
}

template <typename M>
std::string transport_back_undoes_it(const M& m, const Samples& s) {
  return same("T(y,x) T(x,y) u = u", m.transp(s.y, s.x, m.transp(s.x, s.y, s.u)), s.u, s.tolerance);
}

template <typename M>
std::string transport_carries_the_geodesic_along_itself(const M& m, const Samples& s) {
  return same("T log_x(y) = -log_y(x)", m.transp(s.x, s.y, m.logmap(s.x, s.y)), -m.logmap(s.y, s.x),
              s.tolerance);
}

template <typename M>
std::string riemannian_gradient_represents_the_differential(const M& m, const Samples& s) {
  const Tensor rgrad = m.egrad2rgrad(s.x, s.gradient);
  return same("<grad,u>_x = dF(u)", m.inner(s.x, rgrad, s.u), (s.gradient * s.u).sum(-1, true), s.tolerance);
}

template <typename M>
std::string norm_belongs_to_the_inner_product(const M& m, const Samples& s) {
  return same("|u|^2 = <u,u>", m.norm(s.x, s.u).square(), m.inner(s.x, s.u, s.u), s.tolerance) +
         same("<u,v> = <v,u>", m.inner(s.x, s.u, s.v), m.inner(s.x, s.v, s.u), s.tolerance) +
         same("proju", m.proju(s.x, s.u), s.u, 0);
}

inline Tensor lorentz_product(const Tensor& a, const Tensor& b) {
  return (a * b).sum(-1) - 2 * a.select(-1, 0) * b.select(-1, 0);
}

inline std::string results_are_points(const Lorentz& m, const Samples& s,
                                      const std::vector<Tensor>& results) {
  std::string wrong;
  for (const Tensor& point : results) {
    const Tensor ambient = m.to_ambient(point);
    wrong += same("c <x,x> = -1", lorentz_product(ambient, ambient) * m.c(),
                  torch::full_like(ambient.select(-1, 0), -1),
                  s.tolerance * ambient.square().max().item<double>());
    wrong += holds("x0 > 0", ambient.select(-1, 0) > 0);
    wrong += same("from_ambient", m.from_ambient(ambient), point, 0);
  }
  // The curve of the ambient space: exp_x(u) = cosh(z) x + sinh(z) / z u with all coordinates.
  const Tensor u = torch::cat({m.tangent_time(s.x, s.u), s.u}, -1), x = m.to_ambient(s.x);
  wrong += same("<x,u> = 0", lorentz_product(x, u), torch::zeros_like(u.select(-1, 0)), 10 * s.tolerance);
  const Tensor z = (lorentz_product(u, u) * m.c()).sqrt().unsqueeze(-1);
  return wrong + same("ambient exponential map", m.to_ambient(results[0]),
                      torch::cosh(z) * x + torch::sinh(z) / z * u, s.tolerance);
}

inline std::string results_are_points(const Poincare& m, const Samples& s,
                                      const std::vector<Tensor>& results) {
  std::string wrong;
  for (const Tensor& point : results) wrong += holds("c |x|^2 < 1", m.c() * point.square().sum(-1) < 1);
  const double limit = s.x.scalar_type() == torch::kDouble ? 1 - 1e-5 : 1 - 4e-3;
  const Tensor pulled = m.projx(s.x / s.x.norm(2, -1, true) * 3);
  return wrong +
         same("projx from outside", std::sqrt(m.c()) * pulled.norm(2, -1),
              torch::full_like(pulled.select(-1, 0), limit), 1e-6) +
         same("projx inside", m.projx(s.x), s.x, 0);
}

template <typename M>
std::string operations_stay_on_the_manifold(const M& m, const Samples& s) {
  return results_are_points(m, s,
                            {m.expmap(s.x, s.u), m.expmap0(s.u), m.retr(s.x, s.u), m.projx(s.x),
                             m.expmap(s.x, m.logmap(s.x, s.y))});
}

template <typename M>
std::string broadcasting_is_a_loop(const M& m, const Samples& s) {
  const std::int64_t n = 6;
  const Tensor x = s.x.narrow(0, 0, n), y = s.y.narrow(0, 0, n), u = s.u.narrow(0, 0, n);
  const Tensor rows = x.unsqueeze(1), columns = y.unsqueeze(0);
  const Tensor dist = m.dist(rows, columns), log = m.logmap(rows, columns),
               moved = m.transp(rows, columns, u.unsqueeze(1)), exp = m.expmap(rows, u.unsqueeze(0));
  std::string wrong;
  for (std::int64_t i = 0; i < n; ++i)
    for (std::int64_t j = 0; j < n; ++j) {
      wrong += same("dist", dist[i][j], m.dist(x[i], y[j]), s.tolerance) +
               same("logmap", log[i][j], m.logmap(x[i], y[j]), s.tolerance) +
               same("transp", moved[i][j], m.transp(x[i], y[j], u[i]), s.tolerance) +
               same("expmap", exp[i][j], m.expmap(x[i], u[j]), s.tolerance);
    }
  return wrong;
}

// Pairs 0.01 apart, along the radius and across it, far from the origin: float32 against float64 on the same
// (rounded) coordinates.
template <typename M>
std::string close_pairs_keep_their_digits(const M& m, const Samples&) {
  std::string wrong;
  torch::manual_seed(5);
  for (double radius : {1.5, 3.0, 6.0}) {
    const Tensor direction = torch::randn({50, 5}, torch::kDouble);
    const auto at = [&](double r) {
      return points(m, direction, torch::full({50, 1}, r / std::sqrt(m.c()), torch::kDouble));
    };
    const Tensor x = at(radius).to(torch::kFloat), along = at(radius + 0.01).to(torch::kFloat);
    const Tensor tangent = torch::randn({50, 5}, torch::kDouble);
    const Tensor base = x.to(torch::kDouble);
    const Tensor beside =
        m.expmap(base, tangent / m.norm(base, tangent) * 0.01 / std::sqrt(m.c())).to(torch::kFloat);
    for (const Tensor& y : {along, beside}) {
      const Tensor exact = m.dist(base, y.to(torch::kDouble));
      const double error =
          ((m.dist(x, y).to(torch::kDouble) - exact) / exact).abs().max().template item<double>();
      if (!(error < 1e-5))
        wrong += "radius " + std::to_string(radius) + ": relative error " + std::to_string(error) + "; ";
    }
  }
  return wrong;
}

template <typename M>
std::string squared_distance_has_finite_gradients(const M& m, const Samples& s) {
  torch::manual_seed(6);
  const auto tiny = [&] {
    const Tensor size = torch::pow(10.0, -15 * torch::rand({200, 5}, torch::kDouble));
    return points(m, torch::randn({200, 5}, torch::kDouble).sign() * size, size.narrow(1, 0, 1))
        .to(s.x.scalar_type());
  };
  std::string wrong;
  Tensor x = tiny().requires_grad_(true), y = tiny().requires_grad_(true);
  m.dist2(x, y).sum().backward();
  wrong += holds("finite gradients of tiny points", torch::isfinite(x.grad()) & torch::isfinite(y.grad()));
  for (const Tensor& at : {tiny(), s.x, torch::zeros_like(s.x)}) {
    Tensor a = at.detach().clone().requires_grad_(true), b = at.detach().clone().requires_grad_(true);
    const Tensor value = m.dist2(a, b).sum();
    value.backward();
    wrong += same("dist2 of coincident points", value, torch::zeros_like(value), 0);
    wrong += same("gradient at coincident points", a.grad(), torch::zeros_like(a), 1e-12) +
             same("gradient at coincident points", b.grad(), torch::zeros_like(b), 1e-12);
  }
  return wrong;
}

inline std::string the_models_are_isometric(const Poincare& m, const Samples& s) {
  const Lorentz lorentz{Curvature(m.c())};
  return same("isometry", lorentz.dist(m.to_lorentz(s.x), m.to_lorentz(s.y)), m.dist(s.x, s.y), s.tolerance) +
         same("there and back", m.from_lorentz(m.to_lorentz(s.x)), s.x, s.tolerance);
}
inline std::string the_models_are_isometric(const Lorentz& m, const Samples& s) {
  const Poincare ball{Curvature(m.c())};
  return same("isometry", ball.dist(ball.from_lorentz(s.x), ball.from_lorentz(s.y)), m.dist(s.x, s.y),
              s.tolerance) +
         same("there and back", ball.to_lorentz(ball.from_lorentz(s.x)), s.x, s.tolerance);
}

}  // namespace hyperllm::manifold::laws
