#include "hyperllm/kernels/triplet.h"

#include <cmath>
#include <vector>

#include "hyperllm/base/parallel.h"
#include "hyperllm/kernels/lorentz_pair.h"

namespace hyperllm::kernels {
namespace {

// grad(x) += weight * dv/dx with v = x0 y0 - <x, y> on the unit hyperboloid.
void add_pair_gradient(double weight, const float* x, const float* y, double x0, double y0, double curvature,
                       std::int64_t dim, float* grad) {
  const double along = weight * curvature * y0 / x0, across = weight * curvature;
  for (std::int64_t k = 0; k < dim; ++k) grad[k] += static_cast<float>(along * x[k] - across * y[k]);
}

}  // namespace

double triplet_hinge(std::span<const float> h, std::int64_t dim, double curvature,
                     std::span<const std::int32_t> anchor, std::span<const std::int32_t> positive,
                     std::span<const std::int32_t> negative, double margin, std::span<float> grad,
                     std::int64_t* active) {
  struct Term {
    double a0, p0, n0, pull, push, loss;
  };
  const double scale = std::sqrt(curvature);
  std::vector<Term> terms(anchor.size());
  parallel_ranges(static_cast<std::int64_t>(anchor.size()), 256, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t t = begin; t < end; ++t) {
      const float *a = &h[anchor[t] * dim], *p = &h[positive[t] * dim], *n = &h[negative[t] * dim];
      Term& term = terms[t];
      term.a0 = time_coordinate(a, dim, scale);
      term.p0 = time_coordinate(p, dim, scale);
      term.n0 = time_coordinate(n, dim, scale);
      const PairDistance near = pair_distance(half_squared_chord(a, p, dim, term.a0, term.p0, scale));
      const PairDistance far = pair_distance(half_squared_chord(a, n, dim, term.a0, term.n0, scale));
      term.loss = (near.squared - far.squared) / curvature + margin;
      term.pull = near.slope / curvature;
      term.push = -far.slope / curvature;
    }
  });
  double loss = 0;
  std::int64_t positives = 0;
  // In order of the triplets: rows repeat, and sums must not depend on the threads.
  for (std::size_t t = 0; t < terms.size(); ++t) {
    const Term& term = terms[t];
    if (term.loss <= 0) continue;  // keeps NaN
    loss += term.loss;
    ++positives;
    if (grad.empty()) continue;
    const std::int64_t a = anchor[t] * dim, p = positive[t] * dim, n = negative[t] * dim;
    add_pair_gradient(term.pull, &h[a], &h[p], term.a0, term.p0, curvature, dim, &grad[a]);
    add_pair_gradient(term.pull, &h[p], &h[a], term.p0, term.a0, curvature, dim, &grad[p]);
    add_pair_gradient(term.push, &h[a], &h[n], term.a0, term.n0, curvature, dim, &grad[a]);
    add_pair_gradient(term.push, &h[n], &h[a], term.n0, term.a0, curvature, dim, &grad[n]);
  }
  if (active) *active = positives;
  return loss;
}

}  // namespace hyperllm::kernels
