// One training step of a model against numbers that a script computed independently in float64.
#include <gtest/gtest.h>

#include <cmath>

#include "hyperllm/frameworks/hyperllm.h"
#include "hyperllm/models/model.h"

namespace hyperllm::frameworks {
namespace {

using torch::Tensor;

struct Golden {
  const char* model;
  double loss;
  std::vector<double> after;
};
const Golden kSteps[] = {
#include "tests/golden/hrcf_hicf_step.inc"
};

constexpr std::int64_t kUsers = 4, kItems = 5, kDim = 3;
constexpr double kC = 0.8, kCap = 1.5, kMargin = 1.4;

// As the script has them.
Batch batch_of(std::int64_t candidates) {
  const std::vector<std::vector<std::int32_t>> drawn = {
      {6, 7, 8}, {4, 8, 7}, {5, 6, 8}, {5, 4, 6}, {8, 6, 7}};
  Pairs pairs{{0, 1, 2, 3, 0}, {4, 6, 7, 8, 5}, {}, candidates};
  for (const auto& of_pair : drawn)
    pairs.candidates.insert(pairs.candidates.end(), of_pair.begin(), of_pair.begin() + candidates);
  return {{pairs}, {}};
}

Tensor start() {
  Tensor tangents = torch::empty({kUsers + kItems, kDim});
  for (std::int64_t i = 0; i < tangents.size(0); ++i)
    for (std::int64_t k = 0; k < kDim; ++k)
      tangents[i][k] = 0.35 * std::sin(static_cast<double>(1 + 3 * i + 7 * k));
  return tangents;
}

class GoldenStep : public ::testing::TestWithParam<Golden> {};

TEST_P(GoldenStep, IsThatOfTheScript) {
  const manifold::Curvature curvature(kC);
  const std::vector<std::pair<std::int32_t, std::int32_t>> edges = {{0, 0}, {0, 1}, {1, 1}, {1, 2},
                                                                    {2, 3}, {3, 3}, {3, 4}, {2, 0}};
  const auto model = models::models().make(GetParam().model);
  const std::shared_ptr<const Objective> objective = objectives::make_objective(model->objective());
  const UserItemTask task{models::make_backbone(*model, {3, kCap, curvature}),
                          graph::user_item_graph(data::make_csr(kUsers, kItems, edges)),
                          {kUsers, kItems},
                          objective,
                          kMargin};
  HyperLlm framework(task, nullptr, make_table("ids", start(), Storage::kPoints, curvature), std::nullopt);
  optim::OptimizerOptions options;
  options.lr = 0.02;
  options.weight_decay = 0.01;
  options.curvature = curvature;
  const auto optimizer = optim::make_optimizer(framework.parameters(), options);
  const Tensor loss = framework.loss(batch_of(objective->candidates()), {true, 1, 1, 0});
  EXPECT_NEAR(loss.item<double>(), GetParam().loss, 3e-6 * GetParam().loss);
  loss.backward();
  optimizer->step();
  const Tensor after = framework.parameters().at(0).value.detach().to(torch::kDouble).contiguous();
  ASSERT_EQ(after.numel(), std::ssize(GetParam().after));
  for (std::int64_t i = 0; i < after.numel(); ++i)
    EXPECT_NEAR(after.data_ptr<double>()[i], GetParam().after[static_cast<std::size_t>(i)], 1e-6) << i;
}

INSTANTIATE_TEST_SUITE_P(All, GoldenStep, ::testing::ValuesIn(kSteps),
                         [](const auto& the) { return std::string(the.param.model); });

}  // namespace
}  // namespace hyperllm::frameworks
