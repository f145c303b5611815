#include "hyperllm/graph/midpoints.h"

#include <gtest/gtest.h>

#include <cmath>

#include "hyperllm/base/error.h"
#include "hyperllm/base/parallel.h"
#include "hyperllm/base/random.h"
#include "tests/support/gradcheck.h"
#include "tests/support/points.h"

namespace hyperllm::graph {
namespace {

using manifold::Curvature;
using test::gradient_error;
using test::relative_error;
using torch::Tensor;

Tensor points(std::int64_t rows, std::int64_t dim, double c, double radius, std::uint64_t seed = 1) {
  return torch::tensor(test::random_points(rows, dim, c, radius, seed)).reshape({rows, dim});
}

GraphPtr random_graph(std::int64_t nodes, std::int64_t edges, SelfLoops loops) {
  Random random(1, "edges");
  std::vector<Edge> list;
  for (std::int64_t e = 0; e < edges; ++e)  // the last node has none
    list.push_back({static_cast<std::int32_t>(random.below(nodes - 1)),
                    static_cast<std::int32_t>(random.below(nodes - 1)), static_cast<float>(1 + e % 2)});
  return std::make_shared<Graph>(nodes, list, Normalization::kSymmetric, loops);
}

Tensor time_of(const Tensor& x, double c) { return torch::sqrt(1 / c + x.square().sum(1, true)); }

// D^-1/2 S D^-1/2 as a dense float64 matrix.
Tensor dense(const Graph& graph) {
  const kernels::SymmetricGraph view = graph.view();
  Tensor matrix = torch::zeros({view.nodes, view.nodes}, torch::kDouble);
  for (std::int64_t i = 0; i < view.nodes; ++i)
    for (std::int64_t e = view.indptr[i]; e < view.indptr[i + 1]; ++e)
      matrix[i][view.indices[e]] = (view.weights.empty() ? 1.0 : view.weights[e]) *
                                   static_cast<double>(view.scale[i]) * view.scale[view.indices[e]];
  return matrix;
}

class MidpointsIn : public ::testing::TestWithParam<double> {
 protected:
  const double c = GetParam();
};

TEST_P(MidpointsIn, OneNeighbourItself) {
  // Without an edge every node has itself.
  const auto alone =
      std::make_shared<Graph>(5, std::vector<Edge>{}, Normalization::kSymmetric, SelfLoops::kIsolated);
  const Tensor x = points(5, 3, c, 3);
  for (const std::int64_t layers : {1, 3})
    EXPECT_LT(relative_error(midpoints(alone, x, layers, Curvature(c)), x), 1e-6);
  // Two nodes at either end of an edge change places.
  const std::vector<Edge> edge = {{0, 1}};
  const auto pair = std::make_shared<Graph>(2, edge, Normalization::kSymmetric, SelfLoops::kNone);
  EXPECT_LT(relative_error(midpoints(pair, x.narrow(0, 0, 2), 1, Curvature(c)), x.narrow(0, 0, 2).flip(0)),
            1e-6);
}

TEST_P(MidpointsIn, EqualPointsKeepTheirPlaceHoweverFarOut) {
  const GraphPtr graph = random_graph(30, 90, SelfLoops::kIsolated);
  for (const double radius : {0.0, 1e-4, 1.0, 5.0, 10.0}) {
    const double length = std::sinh(radius) / std::sqrt(c);
    const Tensor x = (length * torch::tensor({0.6F, -0.8F, 0.0F})).expand({30, 3});
    EXPECT_LT(relative_error(midpoints(graph, x, 3, Curvature(c)), x), 1e-6) << radius;
  }
}

TEST_P(MidpointsIn, AgreesWithTheGyromidpointOfTheBall) {
  const GraphPtr graph = random_graph(20, 50, SelfLoops::kIsolated);
  const Tensor x = points(20, 4, c, 2).to(torch::kDouble), weights = dense(*graph);
  // t = sum w lambda b / sum w (lambda - 1), then half of it (Ungar's Moebius scalar product with 1/2).
  const Tensor ball = x / (1 + std::sqrt(c) * time_of(x, c)),
               lambda = 2 / (1 - c * ball.square().sum(1, true));
  const Tensor t = weights.mm(lambda * ball) / weights.mm(lambda - 1);
  const Tensor middle = t / (1 + torch::sqrt(1 - c * t.square().sum(1, true)));
  const Tensor lifted = 2 * middle / (1 - c * middle.square().sum(1, true));
  EXPECT_LT(relative_error(midpoints(graph, x, 1, Curvature(c)), lifted), 1e-12);
  EXPECT_LT(relative_error(midpoints(graph, x.to(torch::kFloat), 1, Curvature(c)), lifted), 1e-6);
}

TEST_P(MidpointsIn, AgreesWithItsSpecificationAndItsGradient) {
  for (const SelfLoops loops : {SelfLoops::kIsolated, SelfLoops::kNone})
    for (const std::int64_t dim : {1, 5, 49})
      for (const double radius : {1e-3, 1.0, 3.0, 6.0}) {
        SCOPED_TRACE("dim " + std::to_string(dim) + " radius " + std::to_string(radius));
        const GraphPtr graph = random_graph(200, 900, loops);
        Tensor x = points(200, dim, c, radius).requires_grad_(true),
               exact = x.detach().to(torch::kDouble).requires_grad_(true);
        const Tensor grad = torch::tensor(test::normal_floats(200 * dim, 2)).reshape({200, dim});
        const Tensor out = midpoints(graph, x, 3, Curvature(c)),
                     expected = midpoints(graph, exact, 3, Curvature(c));
        EXPECT_LT(relative_error(out, expected), 1e-6);
        out.backward(grad);
        expected.backward(grad.to(torch::kDouble));
        EXPECT_LT(relative_error(x.grad(), exact.grad()), 1e-5 * std::cosh(radius));
      }
}

TEST_P(MidpointsIn, TheSpecificationsGradientIsTrue) {
  for (const SelfLoops loops : {SelfLoops::kIsolated, SelfLoops::kNone})
    for (const Tensor& x : {points(12, 3, c, 2), torch::zeros({12, 3}), torch::ones({12, 3})})
      EXPECT_LT(gradient_error(
                    [&](const std::vector<Tensor>& in) {
                      const Tensor out = midpoints(random_graph(12, 20, loops), in[0], 2, Curvature(c));
                      return (out * torch::linspace(0.5, 2, 36, torch::kDouble).view({12, 3})).sum();
                    },
                    {x.to(torch::kDouble)}),
                1e-7);
}

INSTANTIATE_TEST_SUITE_P(Curvatures, MidpointsIn, ::testing::Values(1.0, 0.6, 2.5));

TEST(Midpoints, ANodeWithoutNeighboursIsNoPoint) {
  const GraphPtr graph = random_graph(30, 90, SelfLoops::kNone);
  for (const torch::ScalarType type : {torch::kFloat, torch::kDouble}) {
    Tensor x = points(30, 3, 1, 2).to(type).requires_grad_(true);
    const Tensor out = midpoints(graph, x, 3, Curvature(1));
    EXPECT_EQ(out[29].abs().max().item<double>(), 0);
    out.sum().backward();
    EXPECT_EQ(x.grad()[29].abs().max().item<double>(), 0);
    EXPECT_TRUE(torch::isfinite(x.grad()).all().item<bool>());
  }
}

TEST(Midpoints, SameBytesForAnyNumberOfThreads) {
  const GraphPtr graph = random_graph(3000, 9000, SelfLoops::kIsolated);
  std::vector<Tensor> values, grads;
  for (const int threads : {1, 2, 5}) {
    set_num_threads(threads);
    Tensor x = points(3000, 7, 1, 2).requires_grad_(true);
    values.push_back(midpoints(graph, x, 3, Curvature(1)));
    values.back().backward(torch::ones_like(x));
    grads.push_back(x.grad());
  }
  set_num_threads(0);
  for (const std::size_t i : {1, 2}) {
    EXPECT_TRUE(torch::equal(values[0], values[i]));
    EXPECT_TRUE(torch::equal(grads[0], grads[i]));
  }
}

TEST(Midpoints, OtherShapesAreErrors) {
  const GraphPtr graph = random_graph(4, 3, SelfLoops::kNone);
  EXPECT_THROW(midpoints(graph, torch::zeros({5, 2}), 1, Curvature(1)), Error);
  EXPECT_THROW(midpoints(graph, torch::zeros({4, 2}), 0, Curvature(1)), Error);
}

}  // namespace
}  // namespace hyperllm::graph
