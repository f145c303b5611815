#include "hyperllm/models/hypercl.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <string>
#include <thread>

#include "hyperllm/base/parallel.h"
#include "hyperllm/graph/midpoints.h"
#include "hyperllm/manifold/fused.h"
#include "hyperllm/models/hgcf.h"
#include "hyperllm/models/model.h"
#include "tests/support/folder.h"
#include "tests/support/gradcheck.h"

namespace hyperllm::models {
namespace {

using graph::GraphPtr;
using graph::SelfLoops;
using objectives::Pairs;
using test::relative_error;
using torch::Tensor;

constexpr Pass kFirst{.training = true, .seed = 1, .epoch = 1, .step = 0};

// Users 0 .. users-1, then items. The last user and the last item have no edge.
GraphPtr random_graph(const Nodes& nodes, std::int64_t edges) {
  Random random(3, "pairs");
  std::set<std::pair<std::int32_t, std::int32_t>> pairs;
  while (std::ssize(pairs) < edges)
    pairs.emplace(random.below(nodes.users - 1), random.below(nodes.items - 1));
  const std::vector<std::pair<std::int32_t, std::int32_t>> list(pairs.begin(), pairs.end());
  return graph::user_item_graph(data::make_csr(nodes.users, nodes.items, list));
}

// `count` of the graph's edges, some of them twice.
Pairs pairs_of(const GraphPtr& graph, std::int64_t count) {
  Random random(4, "pairs");
  const std::vector<graph::Edge> edges = graph->edges();
  Pairs pairs;
  for (std::int64_t p = 0; p < count; ++p) {
    const graph::Edge& edge = edges[random.below(edges.size())];
    pairs.anchor.push_back(edge.a);
    pairs.positive.push_back(edge.b);
  }
  return pairs;
}

struct Step {
  Nodes nodes{40, 60};
  GraphPtr graph = random_graph(nodes, 200);
  Pairs pairs = pairs_of(graph, 64);
  BackboneOptions options{3, 1.5, {}};

  Tensor loss(const HyperClOptions& own, const Tensor& tangents, const Pass& pass = kFirst) const {
    return make_hypercl(options, own)->auxiliary_loss({tangents, {}, graph, nodes, pairs}, pass);
  }
  Tensor tangents(double scale, std::int64_t dim = 5) const {
    return uniform_tangents(nodes.users + nodes.items, dim, scale, Random(1, "tangents"));
  }
};

std::set<std::pair<std::int32_t, std::int32_t>> edge_set(const graph::Graph& graph) {
  std::set<std::pair<std::int32_t, std::int32_t>> edges;
  for (const graph::Edge& edge : graph.edges()) edges.emplace(edge.a, edge.b);
  return edges;
}

TEST(HyperCl, AgreesWithNumpy) {
  struct Golden {
    std::string isolated;
    double curvature, tau, ssl_reg;
    std::vector<double> tangents;
    double loss;
    std::vector<double> gradient;
  };
  const std::vector<Golden> cases = {
#include "tests/golden/hypercl_step.inc"
  };
  ASSERT_EQ(cases.size(), 4u);
  const std::vector<std::pair<std::int32_t, std::int32_t>> edges = {{0, 0}, {0, 1}, {1, 0}, {1, 2}, {0, 2}};
  const GraphPtr graph = graph::user_item_graph(data::make_csr(3, 4, edges));
  const Pairs pairs{{0, 1, 0, 2, 1}, {3, 5, 4, 6, 3}, {}, 0};
  for (const Golden& golden : cases)
    for (const torch::ScalarType type : {torch::kDouble, torch::kFloat}) {
      const double tolerance = type == torch::kDouble ? 1e-6 : 1e-5;  // the graph is float32
      SCOPED_TRACE(golden.isolated + ", tolerance " + std::to_string(tolerance));
      const auto model = make_hypercl({3, 1.5, manifold::Curvature(golden.curvature)},
                                      {0, golden.tau, golden.ssl_reg, golden.isolated});
      Tensor t = torch::tensor(golden.tangents, torch::kDouble).view({7, 2}).to(type).requires_grad_(true);
      const Tensor loss = model->auxiliary_loss({t, {}, graph, {3, 4}, pairs}, kFirst);
      EXPECT_NEAR(loss.item<double>(), golden.loss, tolerance * golden.loss);
      loss.backward();
      EXPECT_LT(relative_error(t.grad(), torch::tensor(golden.gradient, torch::kDouble).view({7, 2})),
                tolerance);
    }
}

TEST(HyperCl, IsHgcfWithoutTheContrast) {
  const Step step;
  const Tensor tangents = step.tangents(0.4);
  EXPECT_FALSE(step.loss({.ssl_reg = 0}, tangents).defined());
  const auto hypercl = make_hypercl(step.options, {}), hgcf = make_hgcf(step.options);
  for (const bool training : {false, true}) {
    const Pass pass{.training = training, .seed = 2, .epoch = 3, .step = 4};
    EXPECT_TRUE(
        torch::equal(hypercl->encode(tangents, step.graph, pass), hgcf->encode(tangents, step.graph, {})));
  }
  EXPECT_EQ(hypercl->cap(), 1.5);
  EXPECT_TRUE(hypercl->space() == hgcf->space());
}

TEST(HyperCl, PointsThatAreAllOneGiveTheLogarithmOfThePairs) {
  const Step step;
  const double pairs = 64, expected = 0.005 * 2 * pairs * std::log(pairs);
  for (const char* isolated : {"self", "zero"})
    EXPECT_NEAR(step.loss({.isolated = isolated}, torch::zeros({100, 5})).item<double>(), expected,
                1e-6 * expected);
}

TEST(HyperCl, ViewsKeepTheirShareOfTheEdges) {
  const Step step;
  const auto all = edge_set(*step.graph);
  ASSERT_EQ(all.size(), 200u);
  for (const double ratio : {0.0, 0.35, 0.5, 0.999}) {
    const HyperClViews views = hypercl_views(*step.graph, {.ssl_ratio = ratio}, kFirst);
    const auto first = edge_set(*views.first), second = edge_set(*views.second);
    for (const auto& kept : {first, second}) {
      EXPECT_EQ(kept.size(), static_cast<std::size_t>((1 - ratio) * 200));
      EXPECT_TRUE(std::includes(all.begin(), all.end(), kept.begin(), kept.end()));  // nothing held out
    }
    EXPECT_EQ(first == second, ratio == 0 || ratio == 0.999) << ratio;
  }
  EXPECT_EQ(static_cast<std::int64_t>((1 - 0.35) * 70614), 45899);  // Beauty's
}

TEST(HyperCl, EveryEdgeIsDroppedEquallyOften) {
  const Step step;
  std::vector<int> kept(100 * 100);
  constexpr int kEpochs = 400;
  for (int epoch = 1; epoch <= kEpochs; ++epoch) {
    Pass pass = kFirst;
    pass.epoch = epoch;
    for (const auto& [a, b] : edge_set(*hypercl_views(*step.graph, {}, pass).first)) ++kept[a * 100 + b];
  }
  for (const auto& [a, b] : edge_set(*step.graph))  // of 400 draws, 5 standard deviations
    EXPECT_NEAR(kept[a * 100 + b], 0.65 * kEpochs, 5 * std::sqrt(0.65 * 0.35 * kEpochs));
}

TEST(HyperCl, ViewsAreDrawnAnewInEveryEpochAndOnlyThen) {
  const Step step;
  const auto kept = [&](const Pass& pass) {
    const HyperClViews views = hypercl_views(*step.graph, {}, pass);
    return std::pair(edge_set(*views.first), edge_set(*views.second));
  };
  const auto first = kept(kFirst);
  EXPECT_EQ(first, kept({true, 1, 1, 7}));
  for (const Pass& other : {Pass{true, 1, 2, 0}, Pass{true, 2, 1, 0}}) {
    EXPECT_NE(first.first, kept(other).first);
    EXPECT_NE(first.second, kept(other).second);
  }
}

TEST(HyperCl, WithoutDroppedEdgesBothViewsAreTheFullSymmetricGraph) {
  const Step step;
  const HyperClViews views = hypercl_views(*step.graph, {.ssl_ratio = 0, .isolated = "zero"}, kFirst);
  for (const GraphPtr& view : {views.first, views.second})
    EXPECT_TRUE(torch::equal(graph::propagate_sum(view, step.tangents(1), 2),
                             graph::propagate_sum(step.graph->symmetric(), step.tangents(1), 2)));
}

TEST(HyperCl, ANodeThatLostItsEdgesKeepsItsOwnPoint) {
  const Step step;
  const Tensor tangents = step.tangents(0.5);
  const HyperClViews own = hypercl_views(*step.graph, {}, kFirst),
                     zero = hypercl_views(*step.graph, {.isolated = "zero"}, kFirst);
  EXPECT_EQ(edge_set(*own.second), edge_set(*zero.second));
  const std::int64_t alone = 99;
  const Tensor points = manifold::expmap0_rows(tangents, {}, 10);
  EXPECT_TRUE(torch::allclose(graph::midpoints(own.second, points, 3, {})[alone], points[alone]));
  EXPECT_EQ(graph::midpoints(zero.second, points, 3, {})[alone].abs().max().item<float>(), 0);
  EXPECT_TRUE(torch::allclose(graph::propagate_sum(own.first, tangents, 3)[alone], 3 * tangents[alone]));
}

TEST(HyperCl, EqualPassesGiveEqualBytes) {
  const Step step;
  const auto model = make_hypercl(step.options, {});
  const auto gradient = [&](const GraphPtr& graph, const Pass& pass) {
    Tensor t = step.tangents(0.3).requires_grad_(true);
    const Tensor loss = model->auxiliary_loss({t, {}, graph, step.nodes, step.pairs}, pass);
    loss.backward();
    return torch::cat({loss.detach().view({1}), t.grad().view({-1}).to(torch::kDouble)});
  };
  const Tensor first = gradient(step.graph, kFirst);
  EXPECT_TRUE(torch::equal(first, gradient(step.graph, {true, 1, 1, 9}))) << "two steps, one pair of graphs";
  EXPECT_FALSE(torch::equal(first, gradient(step.graph, {true, 1, 2, 0})));
  EXPECT_FALSE(torch::equal(first, gradient(step.graph, {true, 2, 1, 0})));
  EXPECT_FALSE(torch::equal(first, gradient(random_graph(step.nodes, 150), kFirst)));
  for (const int threads : {1, 2, 4}) {
    set_num_threads(threads);
    EXPECT_TRUE(torch::equal(first, gradient(step.graph, kFirst))) << threads;
  }
  set_num_threads(0);
  // One model, several epochs at once.
  std::vector<Tensor> results(8);
  std::vector<std::thread> workers;
  for (std::size_t i = 0; i < results.size(); ++i)
    workers.emplace_back([&, i] {
      for (int repeat = 0; repeat < 5; ++repeat)
        results[i] = gradient(step.graph, {true, 1, static_cast<std::int64_t>(1 + i % 2), 0});
    });
  for (std::thread& worker : workers) worker.join();
  for (std::size_t i = 0; i < results.size(); ++i) EXPECT_EQ(torch::equal(first, results[i]), i % 2 == 0);
}

TEST(HyperCl, KernelsAgreeWithTheirSpecification) {
  const Step step;
  for (const char* isolated : {"self", "zero"})
    for (const double scale : {0.05, 0.3, 1.0, 2.0}) {
      SCOPED_TRACE(std::string(isolated) + " " + std::to_string(scale));
      Tensor t = step.tangents(scale).requires_grad_(true),
             exact = t.detach().to(torch::kDouble).requires_grad_(true);
      const HyperClOptions own{.isolated = isolated};
      const Tensor loss = step.loss(own, t), expected = step.loss(own, exact);
      EXPECT_NEAR(loss.item<double>(), expected.item<double>(), 1e-5 * expected.item<double>());
      loss.backward();
      expected.backward();
      EXPECT_LT(relative_error(t.grad(), exact.grad()), 1e-4);
    }
}

TEST(HyperCl, WhereNoNodeIsLostTheReleasedCodesContrastIsOurs) {
  Step step;
  step.nodes = {300, 400};
  step.graph = random_graph(step.nodes, 900);
  step.pairs = pairs_of(step.graph, 1000);
  for (const double scale : {0.1, 1.0}) {
    Tensor self = step.tangents(scale).requires_grad_(true), zero = step.tangents(scale).requires_grad_(true);
    const Tensor loss = step.loss({.ssl_ratio = 0}, self),
                 other = step.loss({.ssl_ratio = 0, .isolated = "zero"}, zero);
    EXPECT_NEAR(loss.item<double>(), other.item<double>(), 1e-5 * loss.item<double>());
    (3 * loss).backward();
    (3 * other).backward();
    EXPECT_LT(relative_error(zero.grad(), self.grad()), 1e-4);
  }
}

// Tangents on opposite sides: distances of 3 (d^2 / tau = 180) and more.
TEST(HyperCl, StaysFiniteFarOut) {
  const Step step;
  for (const char* isolated : {"self", "zero"})
    for (const double scale : {0.0, 1e-20, 1.0, 3.0, 10.0, 1e3, 1e15})
      for (const double tau : {0.05, 1e-3}) {
        SCOPED_TRACE(std::string(isolated) + ", scale " + std::to_string(scale));
        Tensor t = (step.tangents(1).sign() * scale).requires_grad_(true);
        const Tensor loss = step.loss({.ssl_temp = tau, .isolated = isolated}, t);
        EXPECT_TRUE(std::isfinite(loss.item<double>()));
        EXPECT_TRUE(scale < 3 || loss.item<double>() > 0.005 * 64);
        loss.backward();
        EXPECT_TRUE(torch::isfinite(t.grad()).all().item<bool>());
      }
}

TEST(HyperCl, AllEdgesMayGo) {
  Step step;
  const std::vector<std::pair<std::int32_t, std::int32_t>> one = {{0, 0}};
  step.graph = graph::user_item_graph(data::make_csr(40, 60, one));
  for (const char* isolated : {"self", "zero"}) {
    Tensor t = step.tangents(0.5).requires_grad_(true);
    const Tensor loss = step.loss({.isolated = isolated}, t);
    EXPECT_TRUE(std::isfinite(loss.item<double>()));
    loss.backward();
    EXPECT_TRUE(torch::isfinite(t.grad()).all().item<bool>());
  }
}

TEST(HyperCl, TakesMemoryForTheContrastOnly) {
  const auto bytes = [](const HyperClOptions& own) {
    return make_hypercl({3, 1.5, {}}, own)->auxiliary_bytes({1000, 2000}, 10, 512);
  };
  EXPECT_EQ(bytes({.ssl_reg = 0}), 0);
  EXPECT_GT(bytes({}), 4 * 8 * 3000 * 10);
}

TEST(HyperCl, OptionsOutOfRangeAreErrors) {
  const auto refused = [](const char* name, const char* text) {
    const auto model = models().make("hypercl");
    const FieldList fields = model->fields();
    test::expect_error(ErrorCode::kInvalidArgument, {name},
                       [&] { assign_field(find_field(fields, name, "test"), text); });
  };
  refused("ssl_ratio", "1");
  refused("ssl_ratio", "-0.1");
  refused("ssl_temp", "0");
  refused("ssl_reg", "-1");
  refused("isolated", "none");
}

}  // namespace
}  // namespace hyperllm::models
