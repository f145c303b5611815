// LightGCN and matrix factorisation against a step computed in float64 (tests/golden/lightgcn_step.py), and
// against what must hold of them.
#include "hyperllm/models/euclidean.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>

#include "hyperllm/models/lightgcn.h"
#include "tests/support/folder.h"
#include "tests/support/gradcheck.h"

namespace hyperllm::models {
namespace {

using torch::Tensor;

struct Golden {
  std::int64_t users, items, dim;
  double reg, lr;
  std::vector<double> embeddings;
  std::vector<std::pair<std::int32_t, std::int32_t>> edges;
  std::vector<std::array<std::int32_t, 3>> triplets;  // user, positive item, negative item
  struct Step {
    std::int64_t layers;
    std::vector<double> points;
    double ranking, penalty;
    std::vector<double> gradient, after;
  };
  std::vector<Step> steps;
};

const Golden& golden() {
  static const Golden values = {
#include "tests/golden/lightgcn_step.inc"
  };
  return values;
}

Tensor table(const std::vector<double>& values, torch::Dtype type = torch::kDouble) {
  return torch::tensor(values, torch::kDouble).view({-1, golden().dim}).to(type);
}

graph::GraphPtr golden_graph() {
  return graph::user_item_graph(data::make_csr(golden().users, golden().items, golden().edges));
}

objectives::Pairs golden_pairs() {
  objectives::Pairs pairs;
  const auto users = static_cast<std::int32_t>(golden().users);
  for (const auto& [user, positive, negative] : golden().triplets) {
    pairs.anchor.push_back(user);
    pairs.positive.push_back(users + positive);
    pairs.candidates.push_back(users + negative);
  }
  return pairs;
}

Tensor ranking(const Backbone& backbone, const Tensor& points, const objectives::Pairs& pairs) {
  const objectives::Task task{pairs, {golden().users, golden().items}};
  return objectives::make_objective("bpr")->loss(points, {&task, 1}, 0, backbone.space());
}

Tensor penalty(const Backbone& backbone, const Tensor& tangents, const objectives::Pairs& pairs) {
  const Nodes nodes{golden().users, golden().items};
  return backbone.auxiliary_loss({tangents, tangents, golden_graph(), nodes, pairs}, {});
}

Tensor total(const Backbone& backbone, const Tensor& tangents, const objectives::Pairs& pairs) {
  return ranking(backbone, backbone.encode(tangents, golden_graph(), {}), pairs) +
         penalty(backbone, tangents, pairs);
}

void expect_step(const Backbone& backbone, const Golden::Step& step, torch::Dtype type, double tolerance) {
  SCOPED_TRACE(std::to_string(step.layers) + " layers, " + torch::toString(type));
  Tensor e = table(golden().embeddings, type).requires_grad_(true);
  const objectives::Pairs pairs = golden_pairs();
  const Tensor h = backbone.encode(e, golden_graph(), {});
  EXPECT_LT(test::relative_error(h, table(step.points)), tolerance);
  EXPECT_NEAR(ranking(backbone, h, pairs).item<double>(), step.ranking, tolerance);
  EXPECT_NEAR(penalty(backbone, e, pairs).item<double>(), step.penalty, tolerance);
  total(backbone, e, pairs).backward();
  EXPECT_LT(test::relative_error(e.grad(), table(step.gradient)), tolerance);
}

std::unique_ptr<Backbone> bprmf() {
  const auto model = models().make("bprmf");
  assign_field(find_field(model->fields(), "reg", ""), std::to_string(golden().reg));
  return make_backbone(*model, {});
}

TEST(Euclidean, AStepIsTheOneComputedInFloat64) {
  for (const Golden::Step& step : golden().steps) {
    const auto backbone = make_lightgcn(step.layers, golden().reg);
    expect_step(*backbone, step, torch::kDouble, 1e-7);  // the graph's scales are float32
    expect_step(*backbone, step, torch::kFloat, 1e-6);
  }
  ASSERT_EQ(golden().steps[0].layers, 0);
  expect_step(*bprmf(), golden().steps[0], torch::kDouble, 1e-14);
  expect_step(*bprmf(), golden().steps[0], torch::kFloat, 1e-6);
}

TEST(Euclidean, AStepOfAdamIsTheOneComputedInFloat64) {
  for (const Golden::Step& step : golden().steps) {
    Tensor e = table(golden().embeddings, torch::kFloat).requires_grad_(true);
    optim::OptimizerOptions options;
    options.method = "adam";
    options.lr = golden().lr;
    options.weight_decay = 0;
    const auto optimizer = optim::make_optimizer({{"e", e, optim::Space::kEuclidean}}, options);
    total(*make_lightgcn(step.layers, golden().reg), e, golden_pairs()).backward();
    optimizer->step();
    EXPECT_LT((e - table(step.after)).abs().max().item<double>(), 2e-7) << step.layers << " layers";
  }
}

TEST(Euclidean, WithoutLayersLightGcnIsMatrixFactorisation) {
  const Tensor e = table(golden().embeddings, torch::kFloat);
  const auto flat = make_lightgcn(0, golden().reg), one = make_lightgcn(1, golden().reg), mf = bprmf();
  EXPECT_TRUE(torch::equal(flat->encode(e, golden_graph(), {}), mf->encode(e, golden_graph(), {})));
  const auto loss = [&](const Backbone& of) { return total(of, e, golden_pairs()).item<double>(); };
  EXPECT_EQ(loss(*flat), loss(*mf));
  EXPECT_NE(loss(*one), loss(*mf));
}

TEST(Euclidean, EmbeddingsAtZeroCostLnTwoAPair) {
  const Tensor zero = torch::zeros_like(table(golden().embeddings));
  const objectives::Pairs pairs = golden_pairs();
  for (const std::int64_t layers : {0, 3})
    EXPECT_NEAR(total(*make_lightgcn(layers, golden().reg), zero, pairs).item<double>(),
                static_cast<double>(pairs.size()) * std::log(2.0), 1e-14);
}

TEST(Euclidean, WhereAllDegreesAreEqualBothNormalisationsAgree) {
  std::vector<graph::Edge> ring;  // users 0, 1, 2 and items 3, 4, 5, each with two neighbours
  for (std::int32_t user = 0; user < 3; ++user) {
    ring.push_back({user, 3 + user});
    ring.push_back({user, 3 + (user + 1) % 3});
  }
  const Tensor e = table(golden().embeddings, torch::kFloat).narrow(0, 0, 6).contiguous();
  const auto difference = [&](const std::vector<graph::Edge>& edges) {
    const auto by_rows =
        std::make_shared<graph::Graph>(6, edges, graph::Normalization::kRow, graph::SelfLoops::kNone);
    return test::relative_error(make_lightgcn(3, 0)->encode(e, by_rows, {}),
                                (e + graph::propagate_sum(by_rows, e, 3)) / 4);
  };
  EXPECT_LT(difference(ring), 1e-6);
  ring.pop_back();
  EXPECT_GT(difference(ring), 0.01);
}

TEST(Euclidean, ANodeWithoutAnEdgeKeepsItsShareOfLayerZero) {
  const Tensor e = table(golden().embeddings, torch::kFloat);
  const std::int64_t alone = golden().users + 4;
  EXPECT_TRUE(torch::equal(make_lightgcn(3, 0)->encode(e, golden_graph(), {})[alone], e[alone] / 4));
}

TEST(Euclidean, ThePenaltyCountsARowAsOftenAsItStandsInAPair) {
  const Tensor e = torch::tensor({1.0, 2.0, 0.0, 3.0, 1.0, 1.0}).view({3, 2});  // squares 5, 9, 2
  const auto of = [&](const objectives::Pairs& pairs) {
    return make_lightgcn(2, 0.5)->auxiliary_loss({e, e, nullptr, {1, 2}, pairs}, {}).item<double>();
  };
  EXPECT_EQ(of({{0}, {1}, {2}}), 0.25 * (5 + 9 + 2));
  EXPECT_EQ(of({{0, 0}, {1, 1}, {2, 2}}), 0.5 * (5 + 9 + 2));
  EXPECT_EQ(of({{0}, {1}, {}, 0}), 0.25 * (5 + 9)) << "an objective without candidates";
  EXPECT_EQ(of({{0}, {1}, {2, 1, 2}, 3}), 0.25 * (5 + 9 + 2 + 9 + 2)) << "several candidates";
  const objectives::Pairs pair{{0}, {1}, {2}};
  EXPECT_FALSE(make_lightgcn(2, 0)->auxiliary_loss({e, e, nullptr, {1, 2}, pair}, {}).defined());
}

TEST(Euclidean, GradientsAreThoseOfFiniteDifferences) {
  const objectives::Pairs pairs = golden_pairs();
  for (const std::int64_t layers : {0, 2}) {
    const auto backbone = make_lightgcn(layers, 0.7);
    const auto loss = [&](const std::vector<Tensor>& e) { return total(*backbone, e[0], pairs); };
    EXPECT_LT(test::gradient_error(loss, {table(golden().embeddings)}), 1e-8) << layers << " layers";
  }
}

TEST(Euclidean, EmbeddingsStartNormal) {
  const auto graph = golden_graph();
  for (const char* name : {"lightgcn", "bprmf"}) {
    const auto start = [&](const char* stream, double scale) {
      return make_backbone(name, {})->initial_tangents({300, 500}, *graph, 20, scale, Random(1, stream));
    };
    const Tensor e = start("a", 0.1).to(torch::kDouble);
    ASSERT_EQ(e.sizes(), (std::vector<std::int64_t>{800, 20}));
    EXPECT_NEAR(e.mean().item<double>(), 0, 0.003);
    EXPECT_NEAR(e.std().item<double>(), 0.1, 0.002);
    EXPECT_NEAR(e.abs().lt(0.1).to(torch::kDouble).mean().item<double>(), 0.6827, 0.015);
    EXPECT_TRUE(torch::equal(start("a", 0.1), start("a", 0.1)));
    EXPECT_FALSE(torch::equal(start("a", 0.1), start("b", 0.1)));
    EXPECT_NEAR(start("a", 0.4).std().item<double>(), 0.4, 0.008);
  }
}

TEST(Euclidean, AreTrainedAsTheyWerePublished) {
  for (const char* name : {"lightgcn", "bprmf"}) {
    const auto model = models().make(name);
    EXPECT_EQ(model->objective(), "bpr");
    EXPECT_EQ(optimizer_for(*model, *objectives::make_objective("hinge"), "auto"), "adam");
    EXPECT_EQ(make_backbone(name, {})->space().geometry, Geometry::kEuclidean);
    EXPECT_TRUE(std::isinf(make_backbone(name, {})->cap()));
    const Field reg = find_field(model->fields(), "reg", "");
    EXPECT_EQ(field_text(reg), "1e-04");
    for (const char* beyond : {"-0.1", "1e9"})
      test::expect_error(ErrorCode::kInvalidArgument, {"reg", "0 to"}, [&] { assign_field(reg, beyond); });
  }
}

TEST(Euclidean, SayWhatThePenaltyTakes) {
  EXPECT_EQ(make_lightgcn(3, 0)->auxiliary_bytes({10, 10}, 64, 100), 0);
  EXPECT_GE(make_lightgcn(3, 1)->auxiliary_bytes({10, 10}, 64, 100), 4 * 64 * 320);
}

}  // namespace
}  // namespace hyperllm::models
