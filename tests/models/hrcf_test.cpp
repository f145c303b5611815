// HRCF against HGCF, its limiting cases, and its loss in double.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "hyperllm/base/parallel.h"
#include "hyperllm/manifold/fused.h"
#include "hyperllm/models/model.h"
#include "tests/support/folder.h"
#include "tests/support/gradcheck.h"

namespace hyperllm::models {
namespace {

using torch::Tensor;

constexpr double kNoCap = std::numeric_limits<double>::infinity();
constexpr std::int64_t kUsers = 5, kItems = 7, kDim = 4;
const objectives::Pairs kPairs{{0, 1}, {5, 6}, {7, 8}};

std::unique_ptr<Backbone> hrcf(const char* alpha, const char* centring, double cap = 1.5, double c = 1) {
  const auto model = models().make("hrcf");
  assign_field(find_field(model->fields(), "alpha", "hrcf"), alpha);
  assign_field(find_field(model->fields(), "centring", "hrcf"), centring);
  return make_backbone(*model, {3, cap, manifold::Curvature(c)});
}

graph::GraphPtr graph_of(std::int64_t users = kUsers, std::int64_t items = kItems) {
  std::vector<std::pair<std::int32_t, std::int32_t>> pairs;
  for (std::int32_t user = 0; user < users; ++user)
    for (const std::int32_t item : {user, 3 * user + 1, 7 * user + 2})
      pairs.emplace_back(user, static_cast<std::int32_t>(item % items));
  return graph::user_item_graph(data::make_csr(users, items, pairs));
}

Tensor tangents_of(double scale, std::int64_t rows = kUsers + kItems) {
  return uniform_tangents(rows, kDim, scale, Random(1, "tangents"));
}

// Of the regulariser on points as they are.
Tensor term(const Backbone& model, const Tensor& points) {
  return model.auxiliary_loss({points, points, graph_of(), {kUsers, kItems}, kPairs}, {true, 1, 1, 0});
}

TEST(Hrcf, WithoutItsTwoPartsIsHgcfToTheByte) {
  const auto own = hrcf("0", "false"), hgcf = make_backbone("hgcf", {3, 1.5, manifold::Curvature(1)});
  const auto graph = graph_of();
  Tensor gradients[2], points[2];
  for (const int i : {0, 1}) {
    const Tensor tangents = tangents_of(0.3).requires_grad_(true);
    points[i] = (i == 0 ? own : hgcf)->encode(tangents, graph, {});
    points[i].square().sum().backward();
    gradients[i] = tangents.grad();
  }
  EXPECT_TRUE(torch::equal(points[0], points[1]));
  EXPECT_TRUE(torch::equal(gradients[0], gradients[1]));
  EXPECT_FALSE(term(*own, points[0]).defined());
  EXPECT_EQ(own->auxiliary_bytes({kUsers, kItems}, kDim, 2), 0);
  EXPECT_GT(hrcf("25", "false")->auxiliary_bytes({kUsers, kItems}, kDim, 2), 0);
  // Each part alone makes a difference.
  EXPECT_FALSE(torch::equal(hrcf("0", "true")->encode(tangents_of(0.3), graph, {}), points[0]));
  EXPECT_TRUE(term(*hrcf("25", "false"), points[0]).defined());
}

TEST(Hrcf, AConstantAddedToAllTangentsChangesNothing) {
  const auto model = hrcf("25", "true");
  const Tensor tangents = tangents_of(0.2), shift = torch::tensor({0.5F, -1.0F, 0.1F, 0.0F});
  const Tensor before = model->encode(tangents, graph_of(), {}),
               after = model->encode(tangents + shift, graph_of(), {});
  EXPECT_LT((before - after).abs().max().item<double>(), 1e-6);
}

TEST(Hrcf, TheMeanOfAllNodesIsTheOriginInTrainingAndInEvaluation) {
  const std::int64_t users = 3000, items = 1700;  // several blocks
  const auto graph = graph_of(users, items);
  const Tensor tangents = tangents_of(0.4, users + items) + 0.3;
  for (const bool training : {false, true}) {
    const Tensor points = hrcf("25", "true", kNoCap)->encode(tangents, graph, {training, 1, 1, 0});
    const Tensor centred = manifold::logmap0_rows(points.to(torch::kDouble), manifold::Curvature(1));
    EXPECT_LT(centred.mean(0).abs().max().item<double>(), 1e-6);
    EXPECT_GT(centred.narrow(0, 0, users).mean(0).abs().max().item<double>(), 1e-4) << "of all nodes only";
  }
  // Capped afterwards: what is cut off leaves the mean beside the origin.
  const auto capped = hrcf("25", "true", 0.4);
  const Tensor points = capped->encode(tangents, graph, {});
  const double share = saturation(points, capped->space(), capped->cap());
  EXPECT_TRUE(share > 0 && share < 1) << share;
  EXPECT_LT(points.norm(2, 1).max().item<double>(), std::sinh(0.4) * (1 + 1e-6));
}

TEST(Hrcf, CentringAgreesWithItsReferenceInValueAndGradient) {
  const auto model = hrcf("0", "true");
  const auto graph = graph_of();
  const Tensor single = tangents_of(0.3).requires_grad_(true),
               exact = single.detach().to(torch::kDouble).requires_grad_(true);
  const Tensor weights = torch::linspace(-1, 1, kDim, torch::kDouble);
  const Tensor points = model->encode(single, graph, {}), expected = model->encode(exact, graph, {});
  (points * weights.to(torch::kFloat)).sum().backward();
  (expected * weights).sum().backward();
  EXPECT_LT(test::relative_error(points, expected), 1e-6);
  EXPECT_LT(test::relative_error(single.grad(), exact.grad()), 1e-5);
}

TEST(Hrcf, IsTheSameForAnyNumberOfThreads) {
  const std::int64_t users = 3000, items = 2500;
  const auto graph = graph_of(users, items);
  const auto model = hrcf("25", "true");
  Tensor first[2];
  for (const int threads : {1, 2, 4}) {
    set_num_threads(threads);
    const Tensor tangents = tangents_of(0.3, users + items).requires_grad_(true);
    const Tensor points = model->encode(tangents, graph, {true, 1, 1, 0});
    const Tensor loss =
        model->auxiliary_loss({tangents, points, graph, {users, items}, kPairs}, {true, 1, 1, 0});
    loss.backward();
    if (threads == 1) {
      first[0] = loss.detach();
      first[1] = tangents.grad();
    }
    EXPECT_TRUE(torch::equal(loss, first[0])) << threads;
    EXPECT_TRUE(torch::equal(tangents.grad(), first[1])) << threads;
  }
  set_num_threads(0);
}

TEST(Hrcf, TheTermIsItsDefinition) {
  for (const double c : {1.0, 0.3, 2.5})
    for (const double scale : {1e-3, 0.5, 3.0, 100.0}) {
      const Tensor points = tangents_of(scale), items = points.narrow(0, kUsers, kItems).to(torch::kDouble);
      const Tensor squares = manifold::logmap0_rows(items, manifold::Curvature(c)).square().sum(1) + 1e-6;
      const double expected = 25 / std::sqrt(squares.mean().item<double>());
      EXPECT_NEAR(term(*hrcf("25", "true", 1.5, c), points).item<double>(), expected, 1e-10 * expected);
    }
}

TEST(Hrcf, TheTermHasTheGradientOfFiniteDifferences) {
  for (const double c : {1.0, 0.3})
    for (const double scale : {1e-2, 0.3, 3.0}) {
      const auto model = hrcf("25", "true", 1.5, c);
      const Tensor points = tangents_of(scale).to(torch::kDouble);
      const double error = test::gradient_error(
          [&](const std::vector<Tensor>& in) { return term(*model, in[0]); }, {points}, 1e-3 * scale);
      EXPECT_LT(error, 1e-7) << "c " << c << ", scale " << scale;
    }
}

TEST(Hrcf, TheTermReachesItemsOnlyAndPushesThemOutward) {
  const Tensor points = tangents_of(0.5).requires_grad_(true);
  term(*hrcf("25", "true"), points).backward();
  EXPECT_EQ(points.grad().narrow(0, 0, kUsers).abs().max().item<float>(), 0);
  const Tensor along = (points.grad() * points.detach()).sum(1).narrow(0, kUsers, kItems);
  EXPECT_LT(along.max().item<float>(), 0);
}

TEST(Hrcf, OnTheCapTheTermIsConstant) {
  const auto model = hrcf("25", "false");
  const auto graph = graph_of();
  const Tensor tangents = (tangents_of(0.1) + 2).requires_grad_(true);
  const Tensor points = model->encode(tangents, graph, {true, 1, 1, 0});
  ASSERT_EQ(saturation(points.detach(), model->space(), 1.5), 1);
  const Tensor loss = term(*model, points);
  EXPECT_NEAR(loss.item<double>(), 25 / 1.5, 1e-4);
  loss.backward();
  EXPECT_LT(tangents.grad().abs().max().item<double>(), 1e-6);
}

TEST(Hrcf, AtTheOriginTheTermIsFiniteAndFlat) {
  const Tensor points = torch::zeros({kUsers + kItems, kDim}).requires_grad_(true);
  const Tensor loss = term(*hrcf("25", "true"), points);
  EXPECT_NEAR(loss.item<double>(), 25'000, 1e-6);
  loss.backward();
  EXPECT_EQ(points.grad().abs().max().item<float>(), 0);
}

TEST(Hrcf, SaysWhatItsOptionsTake) {
  const auto model = models().make("hrcf");
  EXPECT_EQ(field_text(find_field(model->fields(), "alpha", "")), "25");
  EXPECT_EQ(field_text(find_field(model->fields(), "centring", "")), "true");
  EXPECT_EQ(model->objective(), "hinge");
  test::expect_error(ErrorCode::kInvalidArgument, {"alpha", "0 to"}, [] { hrcf("-1", "true"); });
}

}  // namespace
}  // namespace hyperllm::models
