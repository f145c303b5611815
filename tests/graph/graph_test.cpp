#include "hyperllm/graph/graph.h"

#include <gtest/gtest.h>

#include "hyperllm/base/error.h"
#include "hyperllm/base/random.h"
#include "tests/support/gradcheck.h"

namespace hyperllm::graph {
namespace {

using test::relative_error;
using torch::Tensor;

// D^-1 (B + I) as a dense float64 matrix.
Tensor dense(std::int64_t nodes, const std::vector<Edge>& edges) {
  Tensor matrix = torch::eye(nodes, torch::kDouble);
  for (const Edge& edge : edges) {
    matrix[edge.a][edge.b] += edge.weight;
    matrix[edge.b][edge.a] += edge.weight;
  }
  return matrix / matrix.sum(1, true);
}

Tensor sum_of_powers(const Tensor& matrix, const Tensor& x, std::int64_t layers) {
  Tensor power = x, sum = torch::zeros_like(x);
  for (std::int64_t l = 0; l < layers; ++l) {
    power = matrix.matmul(power);
    sum = sum + power;
  }
  return sum;
}

void expect_propagates_as(const GraphPtr& graph, const Tensor& matrix) {
  torch::manual_seed(1);
  for (std::int64_t dim : {1, 5, 49})
    for (std::int64_t layers = 1; layers <= 4; ++layers) {
      SCOPED_TRACE("dim " + std::to_string(dim) + " layers " + std::to_string(layers));
      const Tensor value = torch::randn({graph->nodes(), dim}), grad = torch::randn_like(value);
      const Tensor expected = sum_of_powers(matrix, value.to(torch::kDouble), layers),
                   expected_grad = sum_of_powers(matrix.t(), grad.to(torch::kDouble), layers);
      for (torch::ScalarType type : {torch::kFloat, torch::kDouble}) {  // the kernel and its specification
        Tensor x = value.to(type).detach().clone().requires_grad_(true);
        const Tensor out = propagate_sum(graph, x, layers);
        EXPECT_LT(relative_error(out, expected), 1e-6);
        out.backward(grad.to(type));
        EXPECT_LT(relative_error(x.grad(), expected_grad), 1e-6);
      }
    }
}

GraphPtr make(std::int64_t nodes, const std::vector<Edge>& edges) {
  return std::make_shared<Graph>(nodes, edges);
}

TEST(Propagate, Star) {
  std::vector<Edge> edges;
  for (std::int32_t leaf = 1; leaf < 40; ++leaf) edges.push_back({0, leaf});
  expect_propagates_as(make(40, edges), dense(40, edges));
}

TEST(Propagate, IsolatedNodesKeepTheirValue) {
  const GraphPtr graph = make(4, {{1, 2}});
  expect_propagates_as(graph, dense(4, {{1, 2}}));
  const Tensor x = torch::randn({4, 3}), out = propagate_sum(graph, x, 3);
  EXPECT_TRUE(torch::allclose(out[0], 3 * x[0]));
  EXPECT_TRUE(torch::allclose(out[3], 3 * x[3]));
}

TEST(Propagate, EdgesNamedTwiceAddTheirWeights) {
  const std::vector<Edge> edges = {{0, 1}, {1, 0}, {0, 1, 0.5f}, {2, 1, 3}};
  const GraphPtr graph = make(3, edges);
  EXPECT_EQ(graph->nnz(), 7);
  expect_propagates_as(graph, dense(3, edges));
  const Tensor out =
      propagate_sum(graph, torch::tensor({{1.0f}, {0.0f}, {0.0f}}), 1);  // the first column of A
  EXPECT_FLOAT_EQ(out[0].item<float>(), 1 / 3.5f);
  EXPECT_FLOAT_EQ(out[1].item<float>(), 2.5f / 6.5f);
}

TEST(Propagate, RandomGraphWithWeights) {
  Random random(2, "edges");
  std::vector<Edge> edges;
  for (int e = 0; e < 300; ++e)
    edges.push_back({static_cast<std::int32_t>(random.below(60)), static_cast<std::int32_t>(random.below(60)),
                     static_cast<float>(random.uniform(0.5, 2))});
  expect_propagates_as(make(60, edges), dense(60, edges));
}

TEST(Propagate, GradientOfTheReference) {
  const GraphPtr graph = make(5, {{0, 1}, {0, 2}, {3, 4, 2}});
  const Tensor weights = torch::randn({5, 2}, torch::kDouble);
  const auto f = [&](const std::vector<Tensor>& in) {
    return (propagate_sum(graph, in[0], 3) * weights).sum();
  };
  // f is linear: a long step costs nothing and leaves less of the rounding.
  EXPECT_LT(test::gradient_error(f, {torch::randn({5, 2}, torch::kDouble)}, 0.1), 1e-9);
}

TEST(Propagate, OtherNormalizations) {
  const std::vector<Edge> edges = {{0, 1}, {0, 2, 3}, {1, 2}, {4, 5}};  // node 3 has no edge
  for (const SelfLoops loops : {SelfLoops::kAll, SelfLoops::kNone, SelfLoops::kIsolated})
    for (const Normalization normalization : {Normalization::kRow, Normalization::kSymmetric}) {
      Tensor matrix = torch::zeros({6, 6}, torch::kDouble);
      for (const Edge& edge : edges) matrix[edge.a][edge.b] = matrix[edge.b][edge.a] = edge.weight;
      if (loops == SelfLoops::kAll) matrix += torch::eye(6, torch::kDouble);
      if (loops == SelfLoops::kIsolated) matrix[3][3] = 1;
      const Tensor degree = matrix.sum(1, true);
      const Tensor inverse = torch::where(degree > 0, 1 / degree, torch::zeros_like(degree));
      matrix = normalization == Normalization::kRow ? inverse * matrix
                                                    : inverse.sqrt() * matrix * inverse.sqrt().t();
      expect_propagates_as(std::make_shared<Graph>(6, edges, normalization, loops), matrix);
    }
}

TEST(Graph, SymmetricIsMadeOfTheEdgesAlone) {
  const GraphPtr graph = make(4, {{2, 0}, {0, 1, 2}, {3, 3}});
  std::vector<std::tuple<int, int, float>> edges;
  for (const Edge& edge : graph->edges()) edges.emplace_back(edge.a, edge.b, edge.weight);
  EXPECT_EQ(edges, (std::vector<std::tuple<int, int, float>>{{0, 1, 2}, {0, 2, 1}}));
  const GraphPtr symmetric = graph->symmetric();
  EXPECT_EQ(symmetric, graph->symmetric());
  const Tensor out = propagate_sum(symmetric, torch::eye(4), 1);
  EXPECT_FLOAT_EQ(out[0][1].item<float>(), 2 / std::sqrt(3.0f * 2));
  EXPECT_FLOAT_EQ(out[2][0].item<float>(), 1 / std::sqrt(3.0f));
  EXPECT_EQ(out[3].abs().sum().item<float>(), 0);
  EXPECT_EQ(out.diagonal().abs().sum().item<float>(), 0);
}

TEST(UserItemGraph, IsTheBipartiteMatrix) {
  const std::vector<std::pair<std::int32_t, std::int32_t>> pairs = {{0, 0}, {0, 3}, {1, 3}, {2, 1}, {2, 3}};
  const GraphPtr graph = user_item_graph(data::make_csr(3, 4, pairs));  // item 2 has no user
  std::vector<Edge> edges;
  for (const auto& [user, item] : pairs) edges.push_back({user, 3 + item});
  EXPECT_EQ(graph->nodes(), 7);
  EXPECT_EQ(graph->nnz(), 2 * 5 + 7);
  expect_propagates_as(graph, dense(7, edges));
}

TEST(TagGraph, WeighsTagEdges) {
  data::TagGraph tags;
  tags.tags = {{"beauty", 1}, {"hair", 2}, {"shampoo", 3}};
  tags.edges = {{0, 1}, {1, 2}};
  tags.tag_items = {{2, 0}, {1, 1}, {2, 1}};
  for (float weight : {1.0f, 2.0f}) {
    const GraphPtr graph = tag_graph(tags, 4, weight);  // items 2 and 3 have no tag
    const std::vector<Edge> edges = {{4, 5, weight}, {5, 6, weight}, {6, 0}, {5, 1}, {6, 1}};
    EXPECT_EQ(graph->nodes(), 7);
    expect_propagates_as(graph, dense(7, edges));
  }
  // By hand, weight 2: "beauty" has degree 2 + 1.
  const Tensor out = propagate_sum(tag_graph(tags, 4, 2), torch::eye(7), 1);
  EXPECT_FLOAT_EQ(out[4][5].item<float>(), 2.0f / 3);
  EXPECT_FLOAT_EQ(out[4][4].item<float>(), 1.0f / 3);
}

template <typename Call>
std::string message_of(const Call& call) {
  try {
    call();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
    return error.what();
  }
  return "no error";
}

TEST(Graph, EdgesStayInRange) {
  for (const Edge& bad : {Edge{0, 3}, Edge{3, 0}, Edge{-1, 2}})
    EXPECT_EQ(message_of([&] {
                make(3, {{0, 1}, bad});
              }),
              "[graph] edge " + std::to_string(bad.a) + "-" + std::to_string(bad.b) +
                  " leaves the range of 3 nodes");
}

TEST(Graph, RowsAreNodes) {
  const GraphPtr graph = make(3, {{0, 1}});
  EXPECT_EQ(message_of([&] {
              propagate_sum(graph, torch::zeros({4, 2}), 1);
            }),
            "[propagate_sum] expected 3 rows and at least one layer, got 4 rows and 1 layers");
  EXPECT_NE(message_of([&] {
              propagate_sum(graph, torch::zeros({3, 2}), 0);
            }).find("0 layers"),
            std::string::npos);
}

}  // namespace
}  // namespace hyperllm::graph
