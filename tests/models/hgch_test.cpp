// HGCH against a golden step and what is known of it without one.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "hyperllm/base/parallel.h"
#include "hyperllm/manifold/fused.h"
#include "hyperllm/manifold/lorentz.h"
#include "hyperllm/manifold/poincare.h"
#include "hyperllm/manifold/reference.h"
#include "hyperllm/models/model.h"
#include "hyperllm/retrieval/scorer.h"
#include "tests/support/gradcheck.h"
#include "tests/support/points.h"

namespace hyperllm::models {
namespace {

using manifold::Curvature;
using manifold::Poincare;
using test::relative_error;
using torch::Tensor;

constexpr double kNoCap = std::numeric_limits<double>::infinity();

// The clipped midpoint's tangent vector, in units of 1 / sqrt(c).
const double kLongest = std::atanh(0.996);

Tensor encode(const Tensor& tangents, const graph::GraphPtr& graph, std::int64_t layers, double c) {
  return make_backbone("hgch", {layers, 1.5, Curvature(c)})->encode(tangents, graph, {});
}

Tensor normal_rows(std::int64_t rows, std::int64_t dim, double scale, std::uint64_t seed = 1) {
  return torch::tensor(test::normal_floats(rows * dim, seed, scale)).reshape({rows, dim});
}

// Users 0 and 1 with items 4 and 5; users 2 and 3 with items 6 and 7, in part.
graph::GraphPtr golden_graph() {
  const std::vector<std::pair<std::int32_t, std::int32_t>> pairs = {{0, 0}, {0, 1}, {1, 0},
                                                                    {2, 2}, {2, 3}, {3, 2}};
  return graph::user_item_graph(data::make_csr(4, 4, pairs));
}

graph::GraphPtr random_graph(std::int64_t nodes, std::int64_t edges, float weight = 1) {
  Random random(5, "edges");
  std::vector<graph::Edge> list;
  const auto node = [&] {
    return static_cast<std::int32_t>(random.below(static_cast<std::uint64_t>(nodes)));
  };
  while (std::ssize(list) < edges)
    if (const graph::Edge edge{node(), node(), weight}; edge.a != edge.b) list.push_back(edge);
  return std::make_shared<graph::Graph>(nodes, list);
}

// Rows of D^-1 (B + I), dense.
Tensor dense(const graph::GraphPtr& graph) {
  return graph::propagate_sum(graph, torch::eye(graph->nodes(), torch::kDouble), 1);
}

struct Golden {
  double c;
  std::int64_t layers;
  std::vector<double> table, h;
  std::int64_t active;
  double loss;
  std::vector<double> gradient, after;
};
const Golden kGolden[] = {
#include "tests/golden/hgch_step.inc"
};
const objectives::Pairs kTriplets{{0, 1, 2, 3, 0, 1, 0}, {4, 5, 6, 7, 7, 4, 5}, {5, 4, 7, 6, 6, 6, 4}};

Tensor rows_of(const std::vector<double>& values) {
  return torch::tensor(values, torch::kDouble).reshape({8, 3});
}

// HGCH's own loss: hinge_mean.
std::unique_ptr<objectives::Objective> mean_hinge() {
  auto hinge = objectives::make_objective("hinge");
  const FieldList fields = hinge->fields();
  assign_field(find_field(fields, "mean", "hinge"), "true");
  return hinge;
}

Tensor loss_of(const Tensor& table, std::int64_t layers, double c, const objectives::Objective& objective,
               double margin = 0.3) {
  const objectives::Task task{kTriplets, {4, 4}};
  return objective.loss(encode(table, golden_graph(), layers, c), {&task, 1}, margin,
                        {Geometry::kPoincare, Curvature(c)});
}

TEST(Hgch, IsTheGoldenStepInDouble) {
  for (const Golden& golden : kGolden) {
    SCOPED_TRACE(golden.c);
    const Tensor table = rows_of(golden.table).requires_grad_(true);
    EXPECT_LT(relative_error(encode(table, golden_graph(), golden.layers, golden.c), rows_of(golden.h)),
              1e-9);
    const Tensor loss = loss_of(table, golden.layers, golden.c, *mean_hinge());
    EXPECT_NEAR(loss.item<double>(), golden.loss, 1e-8 * golden.loss);
    loss.backward();
    EXPECT_LT(relative_error(table.grad(), rows_of(golden.gradient)), 1e-6);
    const Tensor sum = loss_of(table, golden.layers, golden.c, *objectives::make_objective("hinge"));
    EXPECT_NEAR(sum.item<double>(), golden.loss * static_cast<double>(golden.active), 1e-7 * golden.loss);
  }
}

// In float32, as training runs. Few digits of a distance are left where midpoints are clipped.
TEST(Hgch, TakesTheGoldenStepsOfAdam) {
  for (const Golden& golden : kGolden) {
    SCOPED_TRACE(golden.c);
    const bool far = golden.layers == 2;
    const Tensor table = rows_of(golden.table).to(torch::kFloat).requires_grad_(true);
    optim::OptimizerOptions options;
    options.method = models().make("hgch")->optimizer();
    options.lr = 1e-2;
    options.weight_decay = 0.2;
    const auto adam = optim::make_optimizer({{.name = "table", .value = table}}, options);
    for (int step = 0; step < 2; ++step) {
      adam->zero_grad();
      loss_of(table, golden.layers, golden.c, *mean_hinge()).backward();
      if (step == 0) {
        EXPECT_LT(relative_error(table.grad(), rows_of(golden.gradient)), far ? 2e-2 : 1e-5);
      }
      adam->step();
    }
    EXPECT_LT((table.detach() - rows_of(golden.after)).abs().max().item<double>(), far ? 1e-3 : 2e-5);
  }
}

class HgchOf : public ::testing::TestWithParam<double> {
 protected:
  const double c = GetParam(), scale = std::sqrt(c);
};

TEST_P(HgchOf, ANodeAloneKeepsItsVectorInEveryLayer) {
  const auto alone = std::make_shared<graph::Graph>(6, std::span<const graph::Edge>());
  const Tensor v = normal_rows(6, 5, 0.3);
  const Tensor exact = v.to(torch::kDouble);
  EXPECT_LT(
      relative_error(Poincare(Curvature(c)).logmap0(encode(v, alone, 3, c).to(torch::kDouble)), 3 * exact),
      3e-6);
  EXPECT_LT(relative_error(Poincare(Curvature(c)).dist0(encode(exact, alone, 1, c)), 2 * exact.norm(2, 1)),
            1e-12)
      << "twice as far from the origin as it is long";
}

TEST_P(HgchOf, OneLayerIsTheLorentzMidpoint) {
  const auto graph = random_graph(40, 120);
  const manifold::Lorentz lorentz{Curvature(c)};
  for (const double size : {1e-3, 0.1, 0.4}) {
    const Tensor v = normal_rows(40, 7, size / scale), exact = v.to(torch::kDouble);
    const Tensor s = torch::mm(dense(graph), lorentz.to_ambient(lorentz.expmap0(2 * exact)));
    const Tensor time = s.narrow(1, 0, 1), space = s.narrow(1, 1, 7);
    const Tensor midpoint = space / torch::sqrt(c * (time.square() - space.square().sum(1, true)));
    const Tensor expected = Poincare(Curvature(c)).from_lorentz(midpoint);
    EXPECT_LT(relative_error(encode(v, graph, 1, c), expected), 1e-6);
    EXPECT_LT(relative_error(encode(exact, graph, 1, c), expected), 1e-12);
  }
}

TEST_P(HgchOf, TheMidpointOfEqualPointsIsThatPoint) {
  const Tensor v = normal_rows(1, 5, 0.3 / scale).expand({20, 5}).contiguous();
  const Tensor h = encode(v, random_graph(20, 50), 1, c);
  EXPECT_LT(relative_error(h, manifold::ball_expmap0_rows(v, Curvature(c), kNoCap)), 1e-6);
}

TEST_P(HgchOf, AFactorOnTheWeightsOfARowChangesNothing) {
  // Two nodes, each of them tied to three others: a row of one normalisation is a multiple of the other's.
  std::vector<graph::Edge> edges;
  for (std::int32_t a = 0; a < 2; ++a)
    for (std::int32_t b = 2; b < 5; ++b) edges.push_back({a, b, 1});
  const auto of = [&](graph::Normalization normalization) {
    return std::make_shared<graph::Graph>(5, edges, normalization, graph::SelfLoops::kNone);
  };
  const auto rows = of(graph::Normalization::kRow), both = of(graph::Normalization::kSymmetric);
  const Tensor v = normal_rows(5, 4, 0.5 / scale);
  EXPECT_GT((dense(rows) - dense(both)).abs().max().item<double>(), 0.05);
  EXPECT_LT(relative_error(encode(v, rows, 3, c), encode(v, both, 3, c)), 1e-6);
}

TEST_P(HgchOf, GradientsAreThoseOfFiniteDifferences) {
  const auto graph = random_graph(12, 20);
  const Tensor weights = normal_rows(12, 4, 1, 7).to(torch::kDouble);
  Tensor v = normal_rows(12, 4, 0.6 / scale).to(torch::kDouble);
  const auto error = [&](std::int64_t layers) {
    return test::gradient_error(
        [&](const auto& in) { return (encode(in[0], graph, layers, c) * weights).sum(); }, {v}, 1e-4 / scale);
  };
  EXPECT_LT(error(3), 1e-7);
  v[3] *= 9 / (scale * v[3].norm());  // clipped midpoints around it
  const Tensor clipped = Poincare(Curvature(c)).logmap0(encode(v, graph, 1, c)).norm(2, 1) * scale;
  EXPECT_NEAR(clipped[3].item<double>(), kLongest, 1e-9);
  EXPECT_LT(error(1), 1e-6);
  EXPECT_LT(error(2), 1e-6);
}

TEST_P(HgchOf, TheKernelsGiveTheDoublesGradient) {
  const auto graph = random_graph(60, 150);
  const Tensor weights = normal_rows(60, 6, 1, 7);
  for (const double size : {1e-6, 1e-2, 0.3, 1.0}) {
    SCOPED_TRACE(size);
    const Tensor v = normal_rows(60, 6, size / (scale * std::sqrt(6.0)));
    const Tensor kernel = v.clone().requires_grad_(true), exact = v.to(torch::kDouble).requires_grad_(true);
    const Tensor h = encode(kernel, graph, 3, c);
    EXPECT_EQ(h.scalar_type(), torch::kFloat);
    (h * weights).sum().backward();
    (encode(exact, graph, 3, c) * weights).sum().backward();
    EXPECT_LT(relative_error(h, encode(exact, graph, 3, c)), 1e-6 * (1 + 10 * size));
    EXPECT_LT(relative_error(kernel.grad(), exact.grad()), 1e-5 * (1 + 10 * size));
  }
}

// Far out: every midpoint is clipped, points stay inside of the ball in float32, nothing is NaN.
TEST_P(HgchOf, FarOutAllIsFinite) {
  const auto graph = golden_graph();
  for (const double length : {3.2, 5.0, 12.0, 50.0, 1e4}) {
    SCOPED_TRACE(length);
    Tensor v = normal_rows(8, 5, 1);
    v = (v / v.norm(2, 1, true) * (length / scale)).requires_grad_(true);
    for (const std::int64_t layers : {1, 3, 20}) {
      const Tensor h = encode(v, graph, layers, c);
      EXPECT_LT(h.detach().to(torch::kDouble).norm(2, 1).max().item<double>() * scale, 1);
      for (const bool mean : {false, true}) {
        v.mutable_grad() = Tensor();
        const Tensor loss =
            loss_of(v, layers, c, mean ? *mean_hinge() : *objectives::make_objective("hinge"));
        EXPECT_TRUE(std::isfinite(loss.item<double>()));
        loss.backward();
        EXPECT_TRUE(torch::isfinite(v.grad()).all().item<bool>());
      }
    }
    // One direction, so that no midpoint lies between: the clip is reached, and not passed.
    const Tensor ray = torch::full({8, 1}, length / scale);
    const Tensor reached =
        Poincare(Curvature(c)).logmap0(encode(ray, graph, 1, c).to(torch::kDouble)) * scale;
    EXPECT_NEAR(reached.min().item<double>(), kLongest, 1e-3);
    EXPECT_NEAR(reached.max().item<double>(), kLongest, 1e-3);
  }
}

TEST_P(HgchOf, AtTheOriginAllIsZero) {
  const Tensor v = torch::zeros({8, 3}, torch::requires_grad(true));
  EXPECT_EQ(encode(v, golden_graph(), 3, c).abs().max().item<float>(), 0);
  const Tensor loss = loss_of(v, 3, c, *mean_hinge());
  EXPECT_NEAR(loss.item<double>(), 0.3, 1e-12);
  loss.backward();
  EXPECT_TRUE(torch::isfinite(v.grad()).all().item<bool>());
}

TEST_P(HgchOf, BallAndHyperboloidRankAlike) {
  constexpr std::int64_t kUsers = 10, kItems = 50, kDim = 6;
  const Tensor h =
      encode(normal_rows(kUsers + kItems, kDim, 0.4 / scale), random_graph(kUsers + kItems, 150), 3, c);
  const Tensor lifted = manifold::ball_to_lorentz_rows(h, Curvature(c));
  std::vector<std::int32_t> users(kUsers);
  for (std::int32_t user = 0; user < kUsers; ++user) users[static_cast<std::size_t>(user)] = user;
  const auto ranked = [&](Geometry geometry, const Tensor& points) {
    const auto all = manifold::const_floats(points);
    const auto scorer = retrieval::make_embedding_scorer(
        {geometry, Curvature(c)}, all.subspan(0, kUsers * kDim), all.subspan(kUsers * kDim), kDim);
    return retrieval::top_k(*scorer, users, {}, 20).items;
  };
  EXPECT_EQ(ranked(Geometry::kPoincare, h), ranked(Geometry::kLorentz, lifted));
}

INSTANTIATE_TEST_SUITE_P(Curvatures, HgchOf, ::testing::Values(0.5, 1.0, 2.0));

TEST(Hgch, IsTheSumOfLayersInFlatSpace) {
  const auto graph = random_graph(30, 70);
  const Tensor v = normal_rows(30, 5, 0.3), flat = graph::propagate_sum(graph, v.to(torch::kDouble), 3);
  EXPECT_LT(relative_error(encode(v, graph, 3, 1e-9), flat), 1e-6);
  EXPECT_GT(relative_error(encode(v, graph, 3, 1), flat), 0.05);
}

TEST(Hgch, EqualPointsCostTheMarginWhateverTheBatch) {
  const Tensor v = torch::full({8, 3}, 0.4);
  for (const std::int64_t copies : {1, 7}) {
    objectives::Pairs pairs;
    for (std::int64_t i = 0; i < copies; ++i) {
      pairs.anchor.insert(pairs.anchor.end(), kTriplets.anchor.begin(), kTriplets.anchor.end());
      pairs.positive.insert(pairs.positive.end(), kTriplets.positive.begin(), kTriplets.positive.end());
      pairs.candidates.insert(pairs.candidates.end(), kTriplets.candidates.begin(),
                              kTriplets.candidates.end());
    }
    const objectives::Task task{pairs, {4, 4}};
    const Tensor loss = mean_hinge()->loss(encode(v, golden_graph(), 3, 1), {&task, 1}, 1.7,
                                           {Geometry::kPoincare, Curvature(1)});
    EXPECT_NEAR(loss.item<double>(), 1.7, 1e-6);
  }
}

TEST(Hgch, HasNoCapOfTheRun) {
  const Tensor v = normal_rows(8, 3, 1);
  const auto of = [&](double max_radius) {
    return make_backbone("hgch", {3, max_radius, Curvature(1)})->encode(v, golden_graph(), {});
  };
  EXPECT_TRUE(torch::equal(of(0.1), of(kNoCap)));
  EXPECT_EQ(make_backbone("hgch", {3, 1.5, Curvature(1)})->cap(), kNoCap);
  EXPECT_GT(Poincare().dist0(of(1.5)).max().item<double>(), 3);
}

TEST(Hgch, GivesTheSameBytesForAnyNumberOfThreads) {
  const auto graph = random_graph(3000, 9000);
  const Tensor start = normal_rows(3000, 19, 0.3), weights = normal_rows(3000, 19, 1, 7);
  const auto gradient = [&](int threads) {
    set_num_threads(threads);
    const Tensor v = start.clone().requires_grad_(true);
    (encode(v, graph, 3, 1) * weights).sum(1).backward(torch::ones({3000}));
    set_num_threads(0);
    return v.grad();
  };
  const Tensor one = gradient(1);
  EXPECT_TRUE(torch::equal(one, gradient(2)));
  EXPECT_TRUE(torch::equal(one, gradient(5)));
}

}  // namespace
}  // namespace hyperllm::models
