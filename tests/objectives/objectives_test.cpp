// Every objective in every geometry against its definition, in double.
#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "hyperllm/manifold/lorentz.h"
#include "hyperllm/manifold/poincare.h"
#include "hyperllm/objectives/contrast.h"
#include "hyperllm/objectives/objective.h"
#include "tests/support/folder.h"

namespace hyperllm::objectives {
namespace {

using manifold::Curvature;
using manifold::Geometry;
using manifold::Space;
using torch::Tensor;

constexpr double kC = 0.7, kMargin = 0.8;
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
    return loss(*make_objective(name), tasks, kMargin);
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
  double softmax(const Pairs& pairs, std::int64_t first, std::int64_t count) const {
    double sum = 0;
    for (std::int64_t i = 0; i < pairs.size(); ++i) {
      double all = 0;
      for (std::int64_t j = first; j < first + count; ++j) all += std::exp(near(pairs.anchor[i], j) / 0.5);
      sum += std::log(all) - near(pairs.anchor[i], pairs.positive[i]) / 0.5;
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

TEST_P(EveryGeometry, TheSoftmaxIsItsDefinition) {
  const Task tasks[] = {{one_, {3, 6}}, {two_, {0, 3}}};
  EXPECT_NEAR(loss("softmax", {tasks, 1}), softmax(one_, 3, 6), 1e-5);
  EXPECT_NEAR(loss("softmax", tasks), softmax(one_, 3, 6) + softmax(two_, 0, 3), 1e-5);
}

TEST_P(EveryGeometry, GradientsAreThoseOfFiniteDifferences) {
  const Task tasks[] = {{one_, {3, 6}}, {two_, {0, 3}}};
  const std::map<const char*, std::function<double()>> definitions = {
      {"hinge", [&] { return hinge(one_) + hinge(two_); }},
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
  EXPECT_EQ(make_objective("softmax")->candidates(), 0);
  EXPECT_EQ(make_objective("softmax")->optimizer(), "adam");
  EXPECT_TRUE(make_objective("softmax")->meets_all_competitors());
  test::expect_error(ErrorCode::kInvalidArgument, {"unknown objective 'hingee'", "did you mean 'hinge'?"},
                     [] { make_objective("hingee"); });
}

TEST(Hinge, WantsOneCandidateAPair) {
  const Pairs pairs{{0}, {1}, {2, 2}, 2};
  const Task task{pairs, {0, 3}};
  test::expect_error(ErrorCode::kInvalidArgument, {"hinge", "one candidate"}, [&] {
    make_objective("hinge")->loss(torch::zeros({3, 2}), {&task, 1}, 1, {});
  });
}

TEST(SteadySum, IsTheSumOfAnyLength) {
  for (const std::int64_t length : {0, 1, 4095, 4096, 4097, 100'000})
    EXPECT_EQ(steady_sum(torch::ones({length})).item<double>(), static_cast<double>(length));
}

}  // namespace
}  // namespace hyperllm::objectives
