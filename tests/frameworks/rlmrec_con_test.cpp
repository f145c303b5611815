#include "hyperllm/frameworks/rlmrec_con.h"

#include "tests/frameworks/small_task.h"
#include "tests/support/gradcheck.h"

namespace hyperllm::frameworks {
namespace {

using torch::Tensor;

class RlmrecConTest : public test::SmallTask {
 protected:
  RlmrecCon framework(const AlignmentOptions& options, const std::string& backbone = "hgcf") const {
    return RlmrecCon(task(backbone), train_, table(), semantic_, kDim, options, Random(1, "con"));
  }
  Tensor points() const { return uniform_tangents(kNodes, kDim, 0.7, Random(1, "points")); }
};

TEST_F(RlmrecConTest, WithoutWeightItIsBase) {
  for (const char* backbone : {"hgcf", "ball", "flat", "gated"}) {
    const auto [loss, gradient] = step(framework({.weight = 0}, backbone));
    const auto [base_loss, base_gradient] = base(backbone);
    EXPECT_EQ(loss, base_loss) << backbone;
    EXPECT_TRUE(torch::equal(gradient, base_gradient)) << backbone;
  }
  EXPECT_GT(step(framework({})).first - base().first, 1e-3) << "the alignment counts";
}

TEST_F(RlmrecConTest, WithEqualProjectionsARowCostsTheLogarithmOfTheColumns) {
  for (const bool all_users : {false, true}) {
    const RlmrecCon made = framework({.all_users = all_users});
    const auto all = made.parameters();
    fill(named(all, "rlmrec_con.last.weight"), torch::zeros({kDim, (kColumns + kDim) / 2}));
    fill(named(all, "rlmrec_con.last.bias"), torch::ones({kDim}));
    // Four pairs: four users, one of them twice, against four or all six; four positives, four negatives.
    const double of_users = 4 * std::log(all_users ? 6.0 : 4.0);
    EXPECT_NEAR(made.alignment(points(), aligned_sides(batch_.pairs[0])).item<double>(),
                of_users + 8 * std::log(4.0), 1e-4);
  }
}

TEST_F(RlmrecConTest, OnlyDirectionsCount) {
  const RlmrecCon made = framework({});
  const auto sides = aligned_sides(batch_.pairs[0]);
  const double value = made.alignment(points(), sides).item<double>();
  const Tensor stretched = points() * (0.5 + torch::arange(1, kNodes + 1).view({-1, 1}));
  EXPECT_NEAR(made.alignment(stretched, sides).item<double>(), value, 1e-4 * value);
  const optim::Parameter last = named(made.parameters(), "rlmrec_con.last.weight");
  fill(last, 5 * last.value.detach());
  EXPECT_NEAR(made.alignment(points(), sides).item<double>(), value, 1e-4 * value);
  fill(last, -last.value.detach());
  EXPECT_GT(std::abs(made.alignment(points(), sides).item<double>() - value), 1e-2);
}

TEST_F(RlmrecConTest, EachSumReachesItsOwnNodes) {
  const RlmrecCon made = framework({});
  const auto touched = [&](std::size_t side) {
    Tensor h = points().requires_grad_(true);
    made.alignment(h, {aligned_sides(batch_.pairs[0])[side]}).backward();
    std::vector<std::int32_t> nodes;
    for (std::int32_t node = 0; node < kNodes; ++node)
      if (h.grad()[node].abs().max().item<float>() > 0) nodes.push_back(node);
    return nodes;
  };
  EXPECT_EQ(touched(0), (std::vector<std::int32_t>{0, 1, 5}));
  EXPECT_EQ(touched(1), (std::vector<std::int32_t>{6, 8, 9, 13}));
  EXPECT_EQ(touched(2), (std::vector<std::int32_t>{7, 8, 12}));
}

TEST_F(RlmrecConTest, TheNegativeIsEachPairsFirstCandidate) {
  const Pairs pairs{{0, 1}, {6, 7}, {8, 9, 10, 11, 12, 13}, 3};
  EXPECT_EQ(aligned_sides(pairs).at(2).node, (std::vector<std::int32_t>{8, 11}));
  EXPECT_EQ(aligned_sides({{0, 1}, {6, 7}, {}, 0}).size(), 2u) << "no candidates, no third sum";
  const Occurrences found = occurrences({4, 2, 4, 4, 9});
  EXPECT_EQ(found.node, (std::vector<std::int32_t>{2, 4, 9}));
  EXPECT_EQ(found.count, (std::vector<float>{1, 3, 1}));
}

TEST_F(RlmrecConTest, AnObjectiveWithoutCandidatesServesToo) {
  UserItemTask over_all = task();
  over_all.objective = objectives::make_objective("softmax");
  const RlmrecCon made(over_all, train_, table(), semantic_, kDim, {}, Random(1, "con"));
  EXPECT_EQ(made.draws().pairs.at(0).candidates, 0);
  const Batch batch{{{{0, 1}, {6, 7}, {}, 0}}, {}};
  const Tensor loss = made.loss(batch, kPass);
  EXPECT_TRUE(std::isfinite(loss.item<double>()));
  const double ranking = HyperLlm(over_all, train_, table(), std::nullopt).loss(batch, kPass).item<double>();
  EXPECT_GT(loss.item<double>(), ranking + 1e-3);
}

TEST_F(RlmrecConTest, GradientsOfThePerceptronAndTheContrastAreThoseOfDifferences) {
  torch::manual_seed(5);
  const auto random = [](at::IntArrayRef sizes) { return torch::randn(sizes, torch::kDouble); };
  const auto aligned = [](const std::vector<Tensor>& x) {
    Perceptron mlp;
    mlp.hidden = {x[2], x[3]};
    mlp.last = {x[4], x[5]};
    return info_nce(x[0], mlp(x[1]), {0, 1, 2}, 0.4, {1, 2, 1}, {1, 2, 1});
  };
  EXPECT_LT(test::gradient_error(aligned,
                                 {random({3, kDim}), random({3, kColumns}), random({4, kColumns}),
                                  random({4}), random({kDim, 4}), random({kDim})},
                                 1e-5),
            1e-6);
}

TEST_F(RlmrecConTest, ThePerceptronNarrowsInTwoSteps) {
  const auto all = framework({}).parameters();
  ASSERT_EQ(all.size(), 5u);
  EXPECT_EQ(all[0].name, "id_embeddings");
  EXPECT_FALSE(all[0].own);
  EXPECT_EQ(named(all, "rlmrec_con.hidden.weight").value.sizes(), (std::vector<std::int64_t>{4, kColumns}));
  EXPECT_EQ(named(all, "rlmrec_con.last.weight").value.sizes(), (std::vector<std::int64_t>{kDim, 4}));
  for (std::size_t i = 1; i < all.size(); ++i) EXPECT_TRUE(all[i].own) << all[i].name;
}

}  // namespace
}  // namespace hyperllm::frameworks
