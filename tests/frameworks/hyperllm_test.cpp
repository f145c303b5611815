#include "hyperllm/frameworks/hyperllm.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "hyperllm/models/model.h"
#include "tests/support/planted_dataset.h"

namespace hyperllm::frameworks {
namespace {

using manifold::Curvature;
using torch::Tensor;

constexpr std::int64_t kUsers = 6, kItems = 8, kTags = 6, kDim = 4;
constexpr double kC = 0.8;
const models::Pass kPass{true, 1, 1, 0};

// Squared Lorentz distance from the definition, in double, for rows of space coordinates.
double squared_distance(const Tensor& points, std::int64_t a, const Tensor& others, std::int64_t b) {
  double space = 0, length_a = 0, length_b = 0;
  for (std::int64_t d = 0; d < points.size(1); ++d) {
    const double x = points[a][d].item<double>(), y = others[b][d].item<double>();
    space += x * y;
    length_a += x * x;
    length_b += y * y;
  }
  const double times = std::sqrt(1 / kC + length_a) * std::sqrt(1 / kC + length_b);
  const double distance = std::acosh(std::max(1.0, kC * (times - space))) / std::sqrt(kC);
  return distance * distance;
}

double hinge(const Tensor& h, const Pairs& triplets, double margin) {
  double sum = 0;
  for (std::int64_t i = 0; i < triplets.size(); ++i)
    sum += std::max(0.0, squared_distance(h, triplets.anchor[i], h, triplets.positive[i]) -
                             squared_distance(h, triplets.anchor[i], h, triplets.candidates[i]) + margin);
  return sum;
}

// -log softmax over rows [first, first + count) of `others` at row `target` of -d^2 / tau.
double log_loss(const Tensor& x, std::int64_t row, const Tensor& others, std::int64_t first,
                std::int64_t count, std::int64_t target, double tau) {
  double sum = 0;
  for (std::int64_t j = 0; j < count; ++j)
    sum += std::exp(-squared_distance(x, row, others, first + j) / tau);
  return std::log(sum) + squared_distance(x, row, others, target) / tau;
}

double softmax(const Tensor& h, const Pairs& triplets, std::int64_t first, std::int64_t count, double tau) {
  double sum = 0;
  for (std::int64_t i = 0; i < triplets.size(); ++i)
    sum += log_loss(h, triplets.anchor[i], h, first, count, triplets.positive[i], tau);
  return sum;
}

class HyperLlmTest : public ::testing::Test {
 protected:
  UserItemTask task() const { return {backbone_, user_item_, {kUsers, kItems}, objective_, 1.1}; }
  HyperLlm framework(std::optional<TagTask> tags) const {
    return HyperLlm(task(), nullptr, make_table("ids", e_, Storage::kTangents, Curvature(kC)),
                    std::move(tags));
  }
  TagTask tag_task(double loss_weight, double contrast_weight) const {
    TagTask task;
    task.graph = tag_graph_;
    task.embeddings = make_table("tags", e_tag_, Storage::kTangents, Curvature(kC));
    task.margin = 0.6;
    task.loss_weight = loss_weight;
    task.contrast_weight = contrast_weight;
    task.contrast_tau = 0.4;
    return task;
  }
  double loss(std::optional<TagTask> task) const {
    return framework(std::move(task)).loss(batch_, kPass).item<double>();
  }

  double contrast() const {
    double sum = 0;
    for (std::int64_t item = 0; item < kItems; ++item)
      sum += log_loss(h_.narrow(0, kUsers, kItems), item, h_tag_, 0, kItems, item, 0.4);
    return sum;
  }

  const data::Dataset data_ = test::planted_interactions({kUsers, kItems, 2, true, true});
  const data::TagGraph tags_ = test::planted_tags(kItems);
  const graph::GraphPtr user_item_ = graph::user_item_graph(data_.train_csr());
  const graph::GraphPtr tag_graph_ = graph::tag_graph(tags_, kItems, 1);
  const std::shared_ptr<const models::Backbone> backbone_ =
      models::make_backbone("hgcf", {2, 1.5, Curvature(kC)});
  const Tensor e_ = uniform_tangents(kUsers + kItems, kDim, 0.4, Random(1, "ids"));
  const Tensor e_tag_ = uniform_tangents(kTags, kDim, 0.4, Random(1, "tags"));
  const Tensor h_ = backbone_->encode(e_, user_item_, {});
  const Tensor h_tag_ = backbone_->encode(torch::cat({e_.narrow(0, kUsers, kItems), e_tag_}), tag_graph_, {});
  // Nodes of the user-item graph: users 0 to 5, items 6 to 13. Of the tag graph: items 0 to 7, tags 8 to 13.
  // Anchors in no order, and some more than once.
  const Batch batch_ = {{{{5, 0, 1, 0}, {13, 6, 9, 8}, {12, 7, 8, 10}},
                         {{12, 11, 10, 12}, {0, 5, 1, 3}, {3, 2, 0, 6}},
                         {{12, 8, 9, 8}, {9, 10, 12, 11}, {8, 12, 8, 13}}},
                        {}};
  const Pairs &user_item_pairs_ = batch_.pairs[0], &tag_item_ = batch_.pairs[1], &tag_tag_ = batch_.pairs[2];
  std::shared_ptr<const Objective> objective_ = objectives::make_objective("hinge");
};

TEST_F(HyperLlmTest, WithoutTagsTheLossIsTheUserItemHinge) {
  EXPECT_NEAR(loss(std::nullopt), hinge(h_, user_item_pairs_, 1.1), 1e-4);
}

// Equation (15), every part on its own from the definitions.
TEST_F(HyperLlmTest, TheLossIsTheWeightedSumOfItsParts) {
  const double user_item = hinge(h_, user_item_pairs_, 1.1);
  const double tag = hinge(h_tag_, tag_item_, 0.6) + hinge(h_tag_, tag_tag_, 0.6);
  EXPECT_GT(tag, 0.1);
  EXPECT_GT(contrast(), 0.1);
  for (const double loss_weight : {0.0, 1.0, 2.5})
    for (const double contrast_weight : {0.0, 0.01, 3.0})
      EXPECT_NEAR(loss(tag_task(loss_weight, contrast_weight)),
                  user_item + loss_weight * tag + contrast_weight * contrast(), 2e-4)
          << loss_weight << " " << contrast_weight;
}

TEST_F(HyperLlmTest, TheSoftmaxObjectiveIsTheLogSoftmaxOverAllItems) {
  const std::shared_ptr<Objective> with_tau = objectives::make_objective("softmax");
  assign_field(find_field(with_tau->fields(), "tau", "test"), "0.7");
  objective_ = with_tau;
  const double user_item = softmax(h_, user_item_pairs_, kUsers, kItems, 0.7);
  const double tag =
      softmax(h_tag_, tag_item_, 0, kItems, 0.7) + softmax(h_tag_, tag_tag_, kItems, kTags, 0.7);
  EXPECT_NEAR(loss(std::nullopt), user_item, 2e-4);
  EXPECT_NEAR(loss(tag_task(1.5, 0.5)), user_item + 1.5 * tag + 0.5 * contrast(), 5e-4);
}

// The mean over every sample of two items, loss and gradients, is the whole contrast: the estimator has no
// bias.
TEST_F(HyperLlmTest, ASampledContrastIsRightOnAverage) {
  const auto value_and_gradients = [&](const std::vector<std::int32_t>& sample) {
    const HyperLlm with_tags = framework(tag_task(0, 1));
    const Tensor loss = with_tags.loss({{{}, {}, {}}, {sample}}, kPass);
    loss.backward();
    std::vector<Tensor> all = {loss.detach()};
    for (const auto& parameter : with_tags.parameters())
      all.push_back(parameter.value.grad().to(torch::kDouble));
    return all;
  };
  const std::vector<Tensor> whole = value_and_gradients({});
  std::vector<Tensor> mean;
  double spread = 0;
  const double samples = kItems * (kItems - 1) / 2.0;
  for (std::int32_t a = 0; a < kItems; ++a)
    for (std::int32_t b = a + 1; b < kItems; ++b) {
      const std::vector<Tensor> one = value_and_gradients({a, b});
      spread = std::max(spread, std::abs((one[0] - whole[0]).item<double>()));
      for (std::size_t i = 0; i < one.size(); ++i) {
        if (mean.size() <= i) mean.push_back(torch::zeros_like(one[i]));
        mean[i] += one[i] / samples;
      }
    }
  EXPECT_GT(spread, 0.1) << "samples that all agree would show nothing";
  for (std::size_t i = 0; i < whole.size(); ++i)
    EXPECT_LT((mean[i] - whole[i]).norm().item<double>(), 1e-5 * whole[i].norm().item<double>()) << i;
}

TEST_F(HyperLlmTest, TheItemsOfBothGraphsAreTheSameParameters) {
  const HyperLlm with_tags = framework(tag_task(1, 0.1));
  ASSERT_EQ(with_tags.parameters().size(), 2u);
  with_tags.loss({{{}, tag_item_, tag_tag_}, {}}, kPass).backward();
  const Tensor gradient = with_tags.parameters()[0].value.grad();
  EXPECT_GT(gradient.narrow(0, kUsers, kItems).abs().sum().item<float>(), 0) << "tags teach the items";
  EXPECT_GT(with_tags.parameters()[1].value.grad().abs().sum().item<float>(), 0);
}

TEST_F(HyperLlmTest, PhaseOneTrainsTheMixtureAndNothingElse) {
  const Tensor semantic = uniform_tangents(kUsers + kItems, 5, 1, Random(1, "semantic"));
  for (const bool tune : {false, true}) {
    const Tensor before = semantic.clone();
    HyperLlm phase1(task(), nullptr, make_moe(semantic, {3, kDim, tune}, Random(1, "experts")), std::nullopt);
    std::vector<Tensor> start;
    for (const auto& parameter : phase1.parameters()) start.push_back(parameter.value.detach().clone());
    optim::OptimizerOptions options;
    options.lr = 0.1;
    const auto optimizer = optim::make_optimizer(phase1.parameters(), options);
    for (int step = 0; step < 3; ++step) {
      optimizer->zero_grad();
      phase1.loss(batch_, kPass).backward();
      optimizer->step();
    }
    const auto parameters = phase1.parameters();
    ASSERT_EQ(parameters.size(), tune ? 3u : 2u);
    for (std::size_t i = 0; i < parameters.size(); ++i)
      EXPECT_FALSE(torch::equal(parameters[i].value, start[i])) << parameters[i].name;
    EXPECT_TRUE(torch::equal(semantic, before)) << "the caller's tensor is not touched";
  }
}

TEST_F(HyperLlmTest, RepresentationsAndTangentsAreThoseOfTheTable) {
  const HyperLlm base = framework(std::nullopt);
  EXPECT_TRUE(torch::equal(base.tangents(), e_));
  EXPECT_TRUE(torch::equal(base.representations().users, h_.narrow(0, 0, kUsers)));
  EXPECT_TRUE(torch::equal(base.representations().items, h_.narrow(0, kUsers, kItems)));
  EXPECT_FALSE(base.representations().users.requires_grad());
}

TEST_F(HyperLlmTest, SaturationCountsTheNodesOnTheCap) {
  const auto share = [&](double scale) {
    return HyperLlm(task(), nullptr, make_table("ids", e_ * scale, Storage::kTangents, Curvature(kC)),
                    std::nullopt)
        .representations()
        .saturated;
  };
  EXPECT_EQ(share(1e-3), 0);
  EXPECT_EQ(share(1e4), 1);
}

TEST_F(HyperLlmTest, TheFirstNonFiniteNumberIsNamedByTensorAndRow) {
  const HyperLlm with_tags = framework(tag_task(1, 0.1));
  EXPECT_EQ(with_tags.first_non_finite(), "");
  const torch::NoGradGuard no_grad;
  with_tags.parameters()[1].value[4][1] = std::numeric_limits<float>::infinity();
  EXPECT_EQ(with_tags.first_non_finite(), "tensor tags, row 4");
  with_tags.parameters()[0].value[11][3] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_EQ(with_tags.first_non_finite(), "tensor ids, row 11");
}

}  // namespace
}  // namespace hyperllm::frameworks
