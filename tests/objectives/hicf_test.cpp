// HICF's objective against its definition, in every geometry, and its limiting cases.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "hyperllm/manifold/fused.h"
#include "hyperllm/manifold/lorentz.h"
#include "hyperllm/objectives/objective.h"
#include "tests/support/folder.h"
#include "tests/support/gradcheck.h"

namespace hyperllm::objectives {
namespace {

using manifold::Curvature;
using manifold::Geometry;
using manifold::Space;
using torch::Tensor;

constexpr double kC = 0.7;
constexpr std::int64_t kNodes = 12;

std::unique_ptr<Objective> hicf(const char* adaptive = "true") {
  auto made = make_objective("hicf");
  assign_field(find_field(made->fields(), "adaptive_margin", "hicf"), adaptive);
  return made;
}

double loss_of(const Objective& objective, const Tensor& points, const Pairs& pairs, double margin,
               const Space& space = {}) {
  const Task task{pairs, {0, points.size(0)}};
  return objective.loss(points, {&task, 1}, margin, space).item<double>();
}

// The candidate is the positive itself: distances cancel, and the loss is the margin.
double margin_of(const Tensor& anchor, const Tensor& positive, double margin = 1) {
  const Tensor points = torch::stack({anchor, positive}).to(torch::kDouble);
  return loss_of(*hicf(), points, {{0}, {1}, {1}}, margin);
}

class HicfIn : public ::testing::TestWithParam<Geometry> {
 protected:
  bool flat() const { return space_.geometry == Geometry::kEuclidean; }
  // The definition, by ambient coordinates and acosh.
  double definition(const Pairs& pairs, double margin) const {
    const Tensor space = flat() ? points_ : lorentz_points(points_, space_);
    const Tensor ambient = flat() ? points_ : manifold::Lorentz(space_.curvature).to_ambient(space);
    const auto inner = [&](std::int64_t a, std::int64_t b) {  // of the unit hyperboloid
      const Tensor products = kC * ambient[a] * ambient[b];
      return (products.sum() - 2 * products[0]).item<double>();
    };
    const auto far = [&](std::int64_t a, std::int64_t b) {
      return flat() ? -(points_[a] * points_[b]).sum().item<double>()
                    : std::pow(std::acosh(std::max(1.0, -inner(a, b))), 2) / kC;
    };
    double sum = 0;
    for (std::int64_t i = 0; i < pairs.size(); ++i) {
      const std::int32_t a = pairs.anchor[i], p = pairs.positive[i];
      const std::int32_t* drawn = pairs.candidates.data() + i * pairs.per_pair;
      const std::int32_t n = *std::min_element(drawn, drawn + pairs.per_pair, [&](auto x, auto y) {
        const auto at = [&](auto j) {
          return (ambient[j] - ambient[p]).square().sum().template item<double>();
        };
        return at(x) < at(y);
      });
      double share = 0.5;
      if (!flat()) {
        const double a0 = std::sqrt(kC) * ambient[a][0].item<double>(),
                     p0 = std::sqrt(kC) * ambient[p][0].item<double>();
        share = 1 / (1 + std::exp(-(a0 + p0 - 1 + inner(a, p)) / (a0 * p0)));
      }
      sum += std::max(0.0, far(a, p) - far(a, n) + margin * share);
    }
    return sum;
  }

  const Space space_{GetParam(), Curvature(kC)};
  Tensor points_ = (torch::manual_seed(3), 0.35 * torch::randn({kNodes, 3}, torch::kDouble));
  const Pairs pairs_{{2, 0, 1, 0}, {3, 4, 5, 8}, {6, 7, 9, 3, 5, 10, 11, 6, 4, 9, 3, 10}, 3};
};

TEST_P(HicfIn, IsItsDefinition) {
  for (const double margin : {0.3, 1.5, 4.0}) {
    const double expected = definition(pairs_, margin);
    EXPECT_GT(expected, 0);
    EXPECT_NEAR(loss_of(*hicf(), points_, pairs_, margin, space_), expected, 1e-9);
    EXPECT_NEAR(loss_of(*hicf(), points_.to(torch::kFloat), pairs_, margin, space_), expected, 1e-5);
  }
}

TEST_P(HicfIn, SeveralTasksAddUp) {
  const Pairs other{{9, 10}, {0, 1}, {2, 5, 3, 4}, 2};
  const Task tasks[] = {{pairs_, {3, 6}}, {other, {0, 3}}};
  EXPECT_NEAR(hicf()->loss(points_, tasks, 1.5, space_).item<double>(),
              definition(pairs_, 1.5) + definition(other, 1.5), 1e-9);
}

TEST_P(HicfIn, GradientsAreThoseOfFiniteDifferences) {
  for (const double margin : {0.7, 4.0, 50.0})  // with the last, the path through the margin dominates
    EXPECT_LT(test::gradient_error(
                  [&](const std::vector<Tensor>& in) {
                    const Task task{pairs_, {0, kNodes}};
                    return hicf()->loss(in[0], {&task, 1}, margin, space_);
                  },
                  {points_}, 1e-5),
              1e-6)
        << margin;
  const Tensor single = points_.to(torch::kFloat).requires_grad_(true),
               exact = points_.clone().requires_grad_(true);
  const Task task{pairs_, {0, kNodes}};
  hicf()->loss(single, {&task, 1}, 4, space_).backward();
  hicf()->loss(exact, {&task, 1}, 4, space_).backward();
  EXPECT_LT(test::relative_error(single.grad(), exact.grad()), 1e-5);
}

TEST_P(HicfIn, AFixedMarginAndOneCandidateAreTheHinge) {
  const Pairs one{{2, 0, 1, 0}, {3, 4, 5, 8}, {6, 7, 9, 10}};
  const Task task{one, {0, kNodes}};
  Tensor gradients[2];
  double losses[2];
  for (const int i : {0, 1}) {
    const Tensor points = points_.to(torch::kFloat).requires_grad_(true);
    const auto objective = i == 0 ? hicf("false") : make_objective("hinge");
    const Tensor loss = objective->loss(points, {&task, 1}, 0.8, space_);
    loss.backward();
    losses[i] = loss.item<double>();
    gradients[i] = points.grad();
  }
  EXPECT_EQ(losses[0], losses[1]);
  EXPECT_TRUE(torch::equal(gradients[0], gradients[1]));
}

TEST_P(HicfIn, AtTheOriginAPairCostsHalfTheMargin) {
  Pairs pairs;
  for (std::int32_t i = 0; i < 4096; ++i) {
    pairs.anchor.push_back(i % 3);
    pairs.positive.push_back(3 + i % 4);
    for (std::int32_t k = 0; k < 3; ++k) pairs.candidates.push_back(7 + (i + k) % 5);
  }
  pairs.per_pair = 3;
  const Tensor points = torch::zeros({kNodes, 3}).requires_grad_(true);
  const Task task{pairs, {0, kNodes}};
  const Tensor loss = hicf()->loss(points, {&task, 1}, 3.8, space_);
  EXPECT_NEAR(loss.item<double>(), 7782.4, 1e-3);
  loss.backward();
  EXPECT_EQ(points.grad().abs().max().item<float>(), 0);
}

INSTANTIATE_TEST_SUITE_P(All, HicfIn,
                         ::testing::Values(Geometry::kLorentz, Geometry::kPoincare, Geometry::kEuclidean));

Tensor along(double radius) { return torch::tensor({std::sinh(radius), 0.0}, torch::kDouble); }

TEST(HicfMargin, OfCoincidentPointsIsWidestWhereTheTimeIsTwo) {
  const double best = std::acosh(2.0);
  EXPECT_NEAR(margin_of(along(best), along(best)), 1 / (1 + std::exp(-0.5)), 1e-12);
  EXPECT_NEAR(margin_of(along(best), along(best)), 0.6225, 1e-4);
  for (const double radius : {0.0, 0.5, 1.2, 1.4, 2.0, 5.0})
    EXPECT_LT(margin_of(along(radius), along(radius)), margin_of(along(best), along(best))) << radius;
}

// Both points at radius 1.5, at distance d.
TEST(HicfMargin, FallsWithTheDistanceOnTheCap) {
  const double known[] = {.6198, .5964, .4974, .2405};
  for (const int d : {0, 1, 2, 3}) {
    // cosh d = cosh^2 r - sinh^2 r cos(angle)
    const double cosine =
        std::clamp((std::pow(std::cosh(1.5), 2) - std::cosh(d)) / std::pow(std::sinh(1.5), 2), -1.0, 1.0);
    const Tensor other =
        std::sinh(1.5) * torch::tensor({cosine, std::sqrt(1 - cosine * cosine)}, torch::kDouble);
    EXPECT_NEAR(margin_of(along(1.5), other), known[d], 1e-4) << d;
    EXPECT_NEAR(margin_of(along(1.5), other, 3.8), 3.8 * known[d], 4e-4) << d;
  }
}

TEST(Hicf, SaysWhatItNeeds) {
  auto objective = make_objective("hicf");
  EXPECT_EQ(objective->candidates(), 3);
  EXPECT_EQ(objective->optimizer(), "rsgd");
  assign_field(find_field(objective->fields(), "negatives", "hicf"), "8");
  EXPECT_EQ(objective->candidates(), 8);
  test::expect_error(ErrorCode::kInvalidArgument, {"negatives", "1 to 1024"},
                     [&] { assign_field(find_field(objective->fields(), "negatives", "hicf"), "0"); });
  const Pairs pairs{{0}, {1}, {}, 0};
  test::expect_error(ErrorCode::kInvalidArgument, {"hicf", "at least one candidate"}, [&] {
    loss_of(*hicf(), torch::zeros({3, 2}), pairs, 1);
  });
}

}  // namespace
}  // namespace hyperllm::objectives
