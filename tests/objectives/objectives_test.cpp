// Every objective in every geometry against its definition, in double.
#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "hyperllm/manifold/lorentz.h"
#include "hyperllm/manifold/poincare.h"
#include "hyperllm/objectives/contrast.h"
#include "hyperllm/objectives/objective.h"
#include "tests/support/folder.h"
#include "tests/support/gradcheck.h"

namespace hyperllm::objectives {
namespace {

using manifold::Curvature;
using manifold::Geometry;
using manifold::Space;
using torch::Tensor;

constexpr double kC = 0.7, kMargin = 0.8;
constexpr const char* kTau = "0.5";  // not the default
constexpr std::int64_t kNodes = 9;

// What a softmax takes for "near": minus a squared distance, or an inner product.
double nearness(const Space& space, const Tensor& a, const Tensor& b) {
  const Tensor x = a.to(torch::kDouble), y = b.to(torch::kDouble);
  switch (space.geometry) {
    case Geometry::kLorentz:
      return -manifold::Lorentz(space.curvature).dist2(x, y).item<double>();
    case Geometry::kPoincare:
      return -manifold::Poincare(space.curvature).dist2(x, y).item<double>();
    default:
      return (x * y).sum().item<double>();
  }
}

class EveryGeometry : public ::testing::TestWithParam<Geometry> {
 protected:
  EveryGeometry() {
    torch::manual_seed(3);
    points_ = (0.3 * torch::randn({kNodes, 3})).requires_grad_(true);
  }
  double loss(const char* name, std::span<const Task> tasks) {
    const auto objective = make_objective(name);
    const FieldList fields = objective->fields();
    if (name == std::string_view("softmax")) assign_field(find_field(fields, "tau", name), kTau);
    return loss(*objective, tasks, kMargin);
  }
  double loss(const Objective& objective, std::span<const Task> tasks, double margin) {
    points_.mutable_grad() = Tensor();
    const Tensor loss = objective.loss(points_, tasks, margin, space_);
    EXPECT_EQ(loss.scalar_type(), torch::kDouble);
    loss.backward();
    return loss.item<double>();
  }
  double near(std::int64_t a, std::int64_t b) const { return nearness(space_, points_[a], points_[b]); }
  double hinge(const Pairs& pairs) const {
    double sum = 0;
    for (std::int64_t i = 0; i < pairs.size(); ++i)
      sum += std::max(0.0, near(pairs.anchor[i], pairs.candidates[i]) -
                               near(pairs.anchor[i], pairs.positive[i]) + kMargin);
    return sum;
  }
  double bpr(const Pairs& pairs) const {
    double sum = 0;
    for (std::int64_t i = 0; i < pairs.size(); ++i)
      sum += std::log1p(
          std::exp(near(pairs.anchor[i], pairs.candidates[i]) - near(pairs.anchor[i], pairs.positive[i])));
    return sum;
  }
  double softmax(const Pairs& pairs, std::int64_t first, std::int64_t count) const {
    const double tau = std::stod(kTau);
    double sum = 0;
    for (std::int64_t i = 0; i < pairs.size(); ++i) {
      double all = 0;
      for (std::int64_t j = first; j < first + count; ++j) all += std::exp(near(pairs.anchor[i], j) / tau);
      sum += std::log(all) - near(pairs.anchor[i], pairs.positive[i]) / tau;
    }
    return sum;
  }

  const Space space_{GetParam(), Curvature(kC)};
  Tensor points_;
  const Pairs one_{{2, 0, 1, 0}, {3, 4, 5, 8}, {6, 7, 3, 5}}, two_{{1, 2}, {0, 1}, {2, 0}};
};

TEST_P(EveryGeometry, TheHingeIsItsDefinition) {
  const Task tasks[] = {{one_, {3, 6}}, {two_, {0, 3}}};
  EXPECT_NEAR(loss("hinge", {tasks, 1}), hinge(one_), 1e-5);
  EXPECT_NEAR(loss("hinge", tasks), hinge(one_) + hinge(two_), 1e-5);
}

// The divided hinge: by the open triplets of all tasks together.
TEST_P(EveryGeometry, TheMeanHingeIsDividedByTheActiveTriplets) {
  const auto mean = make_objective("hinge");
  const FieldList fields = mean->fields();
  assign_field(find_field(fields, "mean", "hinge"), "true");
  const Task tasks[] = {{one_, {3, 6}}, {two_, {0, 3}}};
  const auto count = [&](double margin) {
    std::int64_t open = 0;
    for (const Pairs* pairs : {&one_, &two_})
      for (std::int64_t i = 0; i < pairs->size(); ++i)
        open += near(pairs->anchor[i], pairs->candidates[i]) - near(pairs->anchor[i], pairs->positive[i]) +
                    margin >
                0;
    return open;
  };
  const std::int64_t open = count(0.05);
  ASSERT_GT(open, 0);
  ASSERT_LT(open, 6);
  const double sum = loss(*make_objective("hinge"), tasks, 0.05);
  const Tensor gradient = points_.grad().clone();
  EXPECT_NEAR(loss(*mean, tasks, 0.05), sum / static_cast<double>(open), 1e-12);
  EXPECT_TRUE(torch::allclose(points_.grad(), gradient / static_cast<double>(open), 1e-5, 1e-7));
  ASSERT_EQ(count(-50), 0);
  EXPECT_EQ(loss(*mean, tasks, -50), 0);
  EXPECT_EQ(points_.grad().abs().max().item<double>(), 0);
}

TEST_P(EveryGeometry, BprIsItsDefinition) {
  const Task tasks[] = {{one_, {3, 6}}, {two_, {0, 3}}};
  EXPECT_NEAR(loss("bpr", {tasks, 1}), bpr(one_), 1e-5);
  EXPECT_NEAR(loss("bpr", tasks), bpr(one_) + bpr(two_), 1e-5);
}

TEST_P(EveryGeometry, BprHasNoMargin) {
  const Task task{one_, {3, 6}};
  const auto bpr = make_objective("bpr");
  EXPECT_EQ(bpr->loss(points_, {&task, 1}, 0, space_).item<double>(),
            bpr->loss(points_, {&task, 1}, 5, space_).item<double>());
}

TEST_P(EveryGeometry, BprOfOnePointIsLnTwoAPair) {
  const Task task{one_, {3, 6}};
  const Tensor same = points_.detach()[0].expand({kNodes, 3}).contiguous().requires_grad_(true);
  const Tensor loss = make_objective("bpr")->loss(same, {&task, 1}, 0, space_);
  EXPECT_NEAR(loss.item<double>(), 4 * std::log(2.0), 1e-6);
  loss.backward();
  EXPECT_TRUE(torch::isfinite(same.grad()).all().item<bool>());
}

TEST_P(EveryGeometry, BprGradientsAreThoseOfFiniteDifferencesInDouble) {
  const Task tasks[] = {{one_, {3, 6}}, {two_, {0, 3}}};
  for (const double scale : {1e-3, 1.0, 2.5})  // the ball's points stay within 1 / sqrt(0.7)
    EXPECT_LT(
        test::gradient_error(
            [&](const std::vector<Tensor>& x) { return make_objective("bpr")->loss(x[0], tasks, 0, space_); },
            {scale * 0.4 * torch::tanh(points_.detach().to(torch::kDouble))}, 1e-5),
        1e-6)
        << scale;
}

TEST_P(EveryGeometry, TheSoftmaxIsItsDefinition) {
  const Task tasks[] = {{one_, {3, 6}}, {two_, {0, 3}}};
  EXPECT_NEAR(loss("softmax", {tasks, 1}), softmax(one_, 3, 6), 1e-5);
  EXPECT_NEAR(loss("softmax", tasks), softmax(one_, 3, 6) + softmax(two_, 0, 3), 1e-5);
}

TEST_P(EveryGeometry, GradientsAreThoseOfFiniteDifferences) {
  const Task tasks[] = {{one_, {3, 6}}, {two_, {0, 3}}};
  const std::map<const char*, std::function<double()>> definitions = {
      {"hinge", [&] { return hinge(one_) + hinge(two_); }},
      {"bpr", [&] { return bpr(one_) + bpr(two_); }},
      {"softmax", [&] { return softmax(one_, 3, 6) + softmax(two_, 0, 3); }}};
  for (const auto& [name, definition] : definitions) {
    loss(name, tasks);
    const Tensor gradient = points_.grad().clone();
    const torch::NoGradGuard no_grad;
    for (std::int64_t node = 0; node < kNodes; ++node) {
      const float before = points_[node][1].item<float>();
      const auto at = [&](double step) {
        points_[node][1] = before + step;
        return definition();
      };
      const double difference = (at(1e-3) - at(-1e-3)) / 2e-3;
      points_[node][1] = before;
      EXPECT_NEAR(gradient[node][1].item<double>(), difference, 2e-3 * std::max(1.0, std::abs(difference)))
          << name << ", node " << node;
    }
  }
}

TEST_P(EveryGeometry, TheContrastIsInfoNceOnSquaredDistances) {
  const Tensor x = points_.detach().narrow(0, 0, 3), y = points_.detach().narrow(0, 3, 6);
  const std::vector<std::int64_t> target = {4, 0, 5};
  double expected = 0;
  for (std::int64_t i = 0; i < 3; ++i) {
    const auto logit = [&](std::int64_t j) {
      const double near = space_.geometry == Geometry::kEuclidean
                              ? -(x[i] - y[j]).to(torch::kDouble).square().sum().item<double>()
                              : nearness(space_, x[i], y[j]);
      return near / 0.4;
    };
    double all = 0;
    for (std::int64_t j = 0; j < 6; ++j) all += std::exp(logit(j));
    expected += std::log(all) - logit(target[i]);
  }
  EXPECT_NEAR(contrast(x, y, target, 0.4, space_).item<double>(), expected, 1e-5);
}

INSTANTIATE_TEST_SUITE_P(All, EveryGeometry,
                         ::testing::Values(Geometry::kLorentz, Geometry::kPoincare, Geometry::kEuclidean));

TEST(Objectives, SayWhatTheyNeed) {
  EXPECT_EQ(make_objective("hinge")->candidates(), 1);
  EXPECT_EQ(make_objective("hinge")->optimizer(), "rsgd");
  EXPECT_EQ(make_objective("bpr")->candidates(), 1);
  EXPECT_EQ(make_objective("bpr")->optimizer(), "adam");
  EXPECT_FALSE(make_objective("bpr")->meets_all_competitors());
  EXPECT_EQ(make_objective("softmax")->candidates(), 0);
  EXPECT_EQ(make_objective("softmax")->optimizer(), "adam");
  EXPECT_TRUE(make_objective("softmax")->meets_all_competitors());
  test::expect_error(ErrorCode::kInvalidArgument, {"unknown objective 'hingee'", "did you mean 'hinge'?"},
                     [] { make_objective("hingee"); });
}

TEST(Objectives, OfTripletsWantOneCandidateAPair) {
  const Pairs pairs{{0}, {1}, {2, 2}, 2};
  const Task task{pairs, {0, 3}};
  for (const char* name : {"hinge", "bpr"})
    test::expect_error(ErrorCode::kInvalidArgument, {name, "one candidate"}, [&] {
      make_objective(name)->loss(torch::zeros({3, 2}), {&task, 1}, 1, {});
    });
}

TEST(Bpr, IsLinearFarFromRight) {
  const Pairs wrong{{0}, {1}, {2}}, right{{0}, {2}, {1}};
  Tensor points = torch::tensor({1000.0F, -1.0F, 1.0F}).view({3, 1}).requires_grad_(true);
  const auto loss = [&](const Pairs& pairs) {
    const Task task{pairs, {1, 2}};
    return make_objective("bpr")->loss(points, {&task, 1}, 0, {Geometry::kEuclidean});
  };
  EXPECT_EQ(loss(wrong).item<double>(), 2000);
  EXPECT_EQ(loss(right).item<double>(), 0);
  loss(wrong).backward();
  EXPECT_EQ(points.grad()[0].item<float>(), 2);
}

TEST(SteadySum, IsTheSumOfAnyLength) {
  for (const std::int64_t length : {0, 1, 4095, 4096, 4097, 100'000})
    EXPECT_EQ(steady_sum(torch::ones({length})).item<double>(), static_cast<double>(length));
}

}  // namespace
}  // namespace hyperllm::objectives
