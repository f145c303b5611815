#include <gtest/gtest.h>

#include <cmath>

#include "hyperllm/models/hgcf.h"
#include "hyperllm/models/model.h"
#include "tests/support/folder.h"

namespace hyperllm::models {
namespace {

TEST(Backbones, AnUnknownNameSuggestsTheNearest) {
  test::expect_error(ErrorCode::kInvalidArgument, {"unknown model 'hgfc'", "did you mean 'hgcf'?"},
                     [] { make_backbone("hgfc", {}); });
}

TEST(Backbones, OptionsOutOfRangeAreErrors) {
  test::expect_error(ErrorCode::kInvalidArgument, {"layers >= 1"}, [] {
    make_backbone("hgcf", {0, 1.5, {}});
  });
  test::expect_error(ErrorCode::kInvalidArgument, {"max_radius > 0"}, [] {
    make_backbone("hgcf", {1, 0, {}});
  });
}

TEST(Backbones, ALaterRegistrationReplacesTheEarlier) {
  int calls = 0;
  add_backbone("mine", "", [&](const BackboneOptions& options) { return calls = 1, make_hgcf(options); });
  add_backbone("mine", "", [&](const BackboneOptions& options) { return calls = 2, make_hgcf(options); });
  make_backbone("mine", {});
  EXPECT_EQ(calls, 2);
  EXPECT_EQ(models().names(), (std::vector<std::string>{"bprmf", "ease", "hgcf", "ials", "item_knn",
                                                        "lightgcn", "mine", "popular"}));
}

TEST(Models, ABaselineHasNoBackbone) {
  EXPECT_TRUE(models().make("ease")->is_baseline());
  EXPECT_FALSE(models().make("hgcf")->is_baseline());
  test::expect_error(ErrorCode::kInvalidArgument, {"a baseline has no backbone"},
                     [] { make_backbone("popular", {}); });
}

TEST(Saturation, IsTheShareOnTheCapInEveryGeometry) {
  const manifold::Curvature c(0.7);
  const double root = std::sqrt(0.7), cap = 1.2;
  const auto share = [&](Geometry geometry, double on_the_cap) {
    const torch::Tensor points =
        torch::tensor({on_the_cap, 0.9 * on_the_cap, 0.0, -on_the_cap}, torch::kFloat).view({4, 1});
    return saturation(points, {geometry, c}, cap);
  };
  EXPECT_EQ(share(Geometry::kLorentz, std::sinh(root * cap) / root), 0.5);
  EXPECT_EQ(share(Geometry::kPoincare, std::tanh(root * cap / 2) / root), 0.5);
  EXPECT_EQ(share(Geometry::kEuclidean, cap), 0.5);
}

// One user, one item, one dimension, two layers. A = [[1/2, 1/2], [1/2, 1/2]] and t = (0.2, 0.6):
// A t = A^2 t = (0.4, 0.4), their sum 0.8, and the point sinh(0.8); with a cap of 0.5, sinh(0.5).
TEST(Hgcf, GivesTheNumbersOfHandComputation) {
  const std::vector<std::pair<std::int32_t, std::int32_t>> pair = {{0, 0}};
  const auto graph = graph::user_item_graph(data::make_csr(1, 1, pair));
  const torch::Tensor t = torch::tensor({0.2F, 0.6F}).view({2, 1});
  const auto encode = [&](double max_radius, std::int64_t layers) {
    return make_backbone("hgcf", {layers, max_radius, manifold::Curvature(1)})->encode(t, graph, {});
  };
  EXPECT_NEAR(encode(1.5, 2)[0].item<float>(), std::sinh(0.8), 1e-6);
  EXPECT_NEAR(encode(1.5, 2)[1].item<float>(), std::sinh(0.8), 1e-6);
  EXPECT_NEAR(encode(1.5, 1)[1].item<float>(), std::sinh(0.4), 1e-6);
  EXPECT_NEAR(encode(0.5, 2)[0].item<float>(), std::sinh(0.5), 1e-6);
  const auto capped = make_backbone("hgcf", {2, 0.5, manifold::Curvature(1)});
  EXPECT_EQ(saturation(encode(0.5, 2), capped->space(), capped->cap()), 1);
  EXPECT_EQ(saturation(encode(1.5, 1), capped->space(), 0.5), 0);
}

}  // namespace
}  // namespace hyperllm::models
