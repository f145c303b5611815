#include "hyperllm/frameworks/rlmrec_gen.h"

#include <set>

#include "hyperllm/training/sampler.h"
#include "tests/frameworks/small_task.h"
#include "tests/support/gradcheck.h"

namespace hyperllm::frameworks {
namespace {

using torch::Tensor;

class RlmrecGenTest : public test::SmallTask {
 protected:
  RlmrecGen framework(const ReconstructionOptions& options, const std::string& backbone = "hgcf") const {
    return RlmrecGen(task(backbone), train_, table(), semantic_, kDim, options, Random(1, "gen"));
  }
  Tensor points() const { return uniform_tangents(kNodes, kDim, 0.7, Random(1, "points")); }
  const std::vector<std::int32_t>& masked() const { return batch_.rows[0]; }
};

TEST_F(RlmrecGenTest, WithoutMaskAndWeightItIsBase) {
  for (const char* backbone : {"hgcf", "ball", "flat", "gated"}) {
    const RlmrecGen made = framework({.ratio = 0, .weight = 0}, backbone);
    EXPECT_EQ(made.draws().rows.at(0).drawn, 0);
    const Batch batch{batch_.pairs, {{}}};  // what the sampler makes of that
    const Tensor loss = made.loss(batch, kPass);
    loss.backward();
    const auto [base_loss, base_gradient] = base(backbone);
    EXPECT_EQ(loss.item<double>(), base_loss) << backbone;
    EXPECT_TRUE(torch::equal(made.parameters().at(0).value.grad(), base_gradient)) << backbone;
  }
}

TEST_F(RlmrecGenTest, AStepMasksTheFloorOfTheRatioAndAtLeastOneNode) {
  const auto drawn = [&](double ratio) {
    const RlmrecGen made = framework({.ratio = ratio});
    const training::Sampler sampler(made.draws(), {.batch_size = 4});
    Batch batch;
    std::set<std::vector<std::int32_t>> seen;
    std::size_t count = 0;
    const auto epoch = sampler.epoch(1);
    for (std::int64_t step = 0; step < sampler.batches_per_epoch(); ++step) {
      epoch.batch(step, batch);
      const auto& rows = batch.rows.at(0);
      EXPECT_EQ(std::set(rows.begin(), rows.end()).size(), rows.size()) << "without repetition";
      EXPECT_TRUE(rows.empty() || (rows.front() >= 0 && rows.back() < kNodes));
      seen.insert(rows);
      count = rows.size();
    }
    EXPECT_EQ(seen.size() > 1, ratio > 0) << "another mask in each step";
    return count;
  };
  EXPECT_EQ(drawn(0.01), 1u);
  EXPECT_EQ(drawn(0.35), 4u);  // of 14
  EXPECT_EQ(drawn(0), 0u);
}

TEST_F(RlmrecGenTest, MaskedRowsGetNoGradientAndTheTokenTheirSum) {
  for (const char* backbone : {"hgcf", "ball", "flat"}) {
    const RlmrecGen made = framework({}, backbone);
    const auto all = made.parameters();
    const Tensor token = uniform_tangents(1, kDim, 0.4, Random(1, "token"));
    fill(named(all, "rlmrec_gen.token"), token);
    made.loss(batch_, kPass).backward();
    const Tensor gradient = all[0].value.grad();
    for (std::int32_t node = 0; node < kNodes; ++node) {
      const bool is_masked = std::find(masked().begin(), masked().end(), node) != masked().end();
      if (is_masked) {
        EXPECT_EQ(gradient[node].abs().max().item<float>(), 0) << backbone << " " << node;
      } else {
        EXPECT_GT(gradient[node].abs().max().item<float>(), 0) << backbone << " " << node;
      }
    }
    // The same step from a table whose masked rows are the token, each with a gradient of its own.
    Tensor table = e_.clone();
    for (const std::int32_t node : masked()) table[node].copy_(token[0]);
    table.requires_grad_(true);
    const UserItemTask of = task(backbone);
    const Tensor h = of.encode(table, kPass);
    (of.loss(table, h, batch_.pairs[0], kPass) + 0.1 * 4 * made.reconstruction(h, masked(), kPass))
        .backward();
    Tensor sum = torch::zeros({1, kDim});
    for (const std::int32_t node : masked()) sum += table.grad()[node];
    EXPECT_GT(sum.norm().item<double>(), 1e-3);
    EXPECT_LT(test::relative_error(named(all, "rlmrec_gen.token").value.grad(), sum), 1e-5) << backbone;
  }
}

TEST_F(RlmrecGenTest, TheTokenStartsAtTheOriginAndIsFinite) {
  const RlmrecGen made = framework({});
  EXPECT_EQ(named(made.parameters(), "rlmrec_gen.token").value.abs().max().item<float>(), 0);
  // Everything masked: every output is the origin.
  std::vector<std::int32_t> all(kNodes);
  for (std::int32_t node = 0; node < kNodes; ++node) all[node] = node;
  for (const char* backbone : {"hgcf", "ball", "flat"}) {
    const RlmrecGen of = framework({}, backbone);
    of.loss({batch_.pairs, {all}}, kPass).backward();
    for (const optim::Parameter& parameter : of.parameters())
      EXPECT_TRUE(torch::isfinite(parameter.value.grad()).all().item<bool>()) << backbone << parameter.name;
  }
}

TEST_F(RlmrecGenTest, AtTheStartANodeCostsAboutTheLogarithmOfTheMasked) {
  constexpr std::int64_t kMany = 400, kWide = 64;
  const Tensor semantic = torch::randn({kMany, kWide});
  UserItemTask any = task();
  const RlmrecGen made(any, nullptr, table(), semantic, kDim, {.rows = 0}, Random(1, "gen"));
  std::vector<std::int32_t> all(kMany);
  for (std::int32_t node = 0; node < kMany; ++node) all[node] = node;
  EXPECT_NEAR(
      made.reconstruction(uniform_tangents(kMany, kDim, 0.7, Random(1, "h")), all, kPass).item<double>(),
      std::log(1.0 * kMany), 0.1);
}

TEST_F(RlmrecGenTest, ASampleOfTheMaskedNodesIsRightOnAverage) {
  const RlmrecGen whole = framework({.rows = 0}), sampled = framework({.rows = 1});
  const std::vector<std::int32_t> nodes = {0, 2, 5, 7, 8, 11};
  const double expected = whole.reconstruction(points(), nodes, kPass).item<double>();
  constexpr std::int64_t kSteps = 3000;
  double mean = 0;
  std::set<double> values;
  for (std::int64_t at = 0; at < kSteps; ++at) {
    const double value = sampled.reconstruction(points(), nodes, {true, 1, 1, at}).item<double>();
    mean += value / kSteps;
    values.insert(value);
  }
  EXPECT_EQ(values.size(), nodes.size()) << "each node is drawn";
  EXPECT_GT(*values.rbegin() - *values.begin(), 0.5);
  EXPECT_NEAR(mean, expected, 0.06);
  EXPECT_EQ(sampled.reconstruction(points(), nodes, kPass).item<double>(),
            sampled.reconstruction(points(), nodes, kPass).item<double>());
}

TEST_F(RlmrecGenTest, TheMeanCountsOnceAPair) {
  const auto part = [&](double weight) {
    return framework({.weight = weight}).loss(batch_, kPass).item<double>();
  };
  const RlmrecGen made = framework({});
  const Tensor h = task().encode(masked_rows(e_, torch::zeros({1, kDim}), masked()), kPass);
  const double mean = made.reconstruction(h, masked(), kPass).item<double>();
  EXPECT_NEAR(part(0.5) - part(0), 0.5 * 4 * mean, 1e-4);
  EXPECT_GT(mean, 0.1);
}

TEST_F(RlmrecGenTest, EvaluationMasksNothing) {
  const RlmrecGen made = framework({});
  made.loss(batch_, kPass);
  const Tensor expected = task().encode(e_, {});
  EXPECT_TRUE(torch::equal(made.representations().users, expected.narrow(0, 0, kUsers)));
  EXPECT_TRUE(torch::equal(made.representations().items, expected.narrow(0, kUsers, kItems)));
}

TEST_F(RlmrecGenTest, GradientsOfMaskAndPerceptronAreThoseOfDifferences) {
  torch::manual_seed(5);
  const auto random = [](at::IntArrayRef sizes) { return torch::randn(sizes, torch::kDouble); };
  const auto rebuilt = [](const std::vector<Tensor>& x) {
    Perceptron mlp;
    mlp.hidden = {x[3], x[4]};
    mlp.last = {x[5], x[6]};
    const Tensor h = masked_rows(x[0], x[1], {1, 2}).tanh();
    return info_nce(mlp(h), x[2], {2, 0, 1}, 0.4);
  };
  EXPECT_LT(test::gradient_error(rebuilt,
                                 {random({3, kDim}), random({1, kDim}), random({3, kColumns}),
                                  random({4, kDim}), random({4}), random({kColumns, 4}), random({kColumns})},
                                 1e-5),
            1e-6);
}

}  // namespace
}  // namespace hyperllm::frameworks
