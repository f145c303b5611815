#include "hyperllm/frameworks/kar.h"

#include "tests/frameworks/small_task.h"
#include "tests/support/folder.h"
#include "tests/support/gradcheck.h"

namespace hyperllm::frameworks {
namespace {

using torch::Tensor;

class KarTest : public test::SmallTask {
 protected:
  Adaptor adaptor(const AdaptorOptions& options) const {
    return Adaptor(semantic_, {kUsers, kItems}, options, Random(1, "kar"));
  }
  Adaptor adaptor() const { return adaptor(options_); }
  Kar kar(const std::string& backbone = "hgcf") const {
    return Kar(task(backbone), train_, table(), adaptor());
  }

  const AdaptorOptions options_ = {.experts = 3, .shared_experts = 2, .hidden = 6, .dim = kDim};
};

TEST_F(KarTest, WithoutTheAdaptorsVectorsItIsBase) {
  for (const char* backbone : {"hgcf", "ball", "flat"}) {
    const Kar framework = kar(backbone);
    for (const optim::Parameter& parameter : framework.parameters())
      if (parameter.name.find(".last.") != std::string::npos)
        fill(parameter, torch::zeros_like(parameter.value));
    const auto [loss, gradient] = step(framework);
    const auto [base_loss, base_gradient] = base(backbone);
    EXPECT_NEAR(loss, base_loss, 1e-5 * base_loss) << backbone;
    EXPECT_LT(test::relative_error(gradient, base_gradient), 1e-5) << backbone;
  }
  EXPECT_GT(std::abs(step(kar()).first - base().first), 1e-3) << "the vectors count";
}

TEST_F(KarTest, GatesSumToOneAndOneExpertIsAPerceptron) {
  const auto weights = make_weights(1, 7, kColumns, Xavier::kNormal, Random(1, "gate"));
  const Tensor gates = expert_gates(semantic_, weights);
  EXPECT_EQ(gates.size(1), 7);
  EXPECT_TRUE(torch::allclose(gates.sum(1), torch::ones({kNodes})));
  EXPECT_GT(gates.std().item<float>(), 0.01);

  const Adaptor one = adaptor({.experts = 1, .shared_experts = 0, .hidden = 6, .dim = kDim});
  const auto all = one.parameters();
  const Tensor users = torch::mm(
      torch::relu(torch::mm(semantic_.narrow(0, 0, kUsers), named(all, "kar.users.hidden.weight").value.t())),
      named(all, "kar.users.last.weight").value.t());
  EXPECT_TRUE(torch::allclose(one.rows().narrow(0, 0, kUsers), users, 1e-5, 1e-6));
}

TEST_F(KarTest, OwnExpertsLearnFromTheirSideAndSharedOnesFromBoth) {
  const auto gradients = [&](std::int64_t first, std::int64_t count) {
    const Adaptor made = adaptor();
    made.rows().narrow(0, first, count).square().sum().backward();
    std::map<std::string, double> sizes;
    for (const optim::Parameter& parameter : made.parameters())
      sizes[parameter.name] = parameter.value.grad().abs().sum().item<double>();
    return sizes;
  };
  const auto of_users = gradients(0, kUsers), of_items = gradients(kUsers, kItems);
  for (const char* part :
       {".hidden.weight", ".hidden.bias", ".last.weight", ".last.bias", ".gate.weight", ".gate.bias"}) {
    EXPECT_EQ(of_items.at(std::string("kar.users") + part), 0) << part;
    EXPECT_EQ(of_users.at(std::string("kar.items") + part), 0) << part;
    EXPECT_GT(of_users.at(std::string("kar.users") + part), 0) << part;
    EXPECT_GT(of_items.at(std::string("kar.items") + part), 0) << part;
  }
  for (const char* part : {"kar.shared.hidden.weight", "kar.shared.last.weight"}) {
    EXPECT_GT(of_users.at(part), 0);
    EXPECT_GT(of_items.at(part), 0);
  }
}

TEST_F(KarTest, StartsAtTheLengthsOfTheDefinition) {
  Tensor unit = uniform_tangents(200, 3072, 1, Random(1, "unit"));
  unit = unit / unit.norm(2, 1, true);
  const Adaptor made(unit, {100, 100}, {}, Random(1, "kar"));
  EXPECT_NEAR(made.rows().norm(2, 1).mean().item<float>(), 0.06, 0.015);
  EXPECT_NEAR(uniform_tangents(200, 49, 0.1, Random(1, "e")).norm(2, 1).mean().item<float>(), 0.40, 0.01);
}

TEST_F(KarTest, ExpertsHaveNoOrder) {
  Adaptor made = adaptor();
  const Tensor before = made.rows().detach();
  const auto all = made.parameters();
  // The users' own experts 0, 1, 2 become 1, 2, 0; their gates follow the two shared ones.
  for (const char* part : {".hidden.weight", ".hidden.bias", ".last.weight", ".last.bias"}) {
    const optim::Parameter& parameter = named(all, std::string("kar.users") + part);
    fill(parameter, parameter.value.detach().roll(-parameter.value.size(0) / 3, 0));
  }
  EXPECT_GT(test::relative_error(made.rows(), before), 1e-2) << "experts without their gates";
  for (const char* part : {"kar.users.gate.weight", "kar.users.gate.bias"}) {
    const Tensor gate = named(all, part).value.detach();
    fill(named(all, part), torch::cat({gate.narrow(0, 0, 2), gate.narrow(0, 2, 3).roll(-1, 0)}));
  }
  EXPECT_TRUE(torch::allclose(made.rows(), before, 1e-5, 1e-6));
}

TEST_F(KarTest, ALastReluLeavesNothingNegative) {
  AdaptorOptions options = options_;
  EXPECT_LT(adaptor(options).rows().min().item<float>(), 0);
  options.relu_last = true;
  EXPECT_GE(adaptor(options).rows().min().item<float>(), 0);
  EXPECT_GT(adaptor(options).rows().max().item<float>(), 0);
}

TEST_F(KarTest, GradientsAreThoseOfDifferences) {
  const auto random = [](at::IntArrayRef sizes) { return torch::randn(sizes, torch::kDouble); };
  torch::manual_seed(2);
  for (const bool relu_last : {false, true}) {
    const auto mixed = [&](const std::vector<Tensor>& x) {
      const Tensor gates = expert_gates(x[0], {x[5], x[6]});
      return mixed_experts(x[0], {{x[1], x[2]}, {x[3], x[4]}}, gates, relu_last).square().sum();
    };
    EXPECT_LT(
        test::gradient_error(mixed,
                             {random({7, kColumns}), random({3 * 6, kColumns}), random({3 * 6}),
                              random({3 * kDim, 6}), random({3 * kDim}), random({3, kColumns}), random({3})},
                             1e-5),
        1e-6);
  }
}

TEST_F(KarTest, MethodJoinsAsItsOptionSays) {
  Materials materials;
  materials.train = train_;
  materials.user_item = graph_;
  materials.backbone = task().backbone;
  materials.objective = task().objective;
  materials.semantic = [this] { return semantic_; };
  materials.dim = 5;
  KarMethod method;
  const auto width = [&] {
    const auto made = method.phases(materials).at(0).make(Storage::kPoints);
    return std::pair(made->representations().users.size(1), made->parameters().at(0).value.size(1));
  };
  EXPECT_EQ(width(), std::pair(std::int64_t{10}, std::int64_t{5}));
  EXPECT_EQ(method.needs("lsa").width, 2);
  method.join = "split";
  EXPECT_EQ(width(), std::pair(std::int64_t{5}, std::int64_t{3}));
  EXPECT_EQ(method.needs("lsa").width, 1);
  EXPECT_EQ(method.needs("lsa").embeddings, "lsa");
  materials.dim = 1;
  test::expect_error(ErrorCode::kInvalidArgument, {"kar_join", "split"}, [&] { width(); });
}

TEST_F(KarTest, TheAddedWeightsHaveTheirOwnStep) {
  KarMethod method;
  method.own = {.lr = 0.5, .weight_decay = 0.25, .optimizer = "sgd"};
  const optim::OwnStep own = method.own.step();
  AdaptorOptions options = options_;
  options.step = own;
  for (const optim::Parameter& parameter :
       Kar(task("gated"), train_, table(), adaptor(options)).parameters()) {
    const bool added = parameter.name.starts_with("kar.");
    ASSERT_EQ(parameter.own.has_value(), added) << parameter.name;
    if (!added) continue;
    EXPECT_EQ(parameter.own->method, "rsgd");
    EXPECT_EQ(parameter.own->lr, 0.5);
    EXPECT_EQ(parameter.own->weight_decay, 0.25);
  }
  EXPECT_EQ(OwnStepOptions().step().method, "adam");
}

}  // namespace
}  // namespace hyperllm::frameworks
