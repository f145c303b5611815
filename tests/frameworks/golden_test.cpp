// A step of each rival framework around HGCF against tests/golden/rival_frameworks.py, which computes it from
// the definitions in float64.
#include <gtest/gtest.h>

#include "hyperllm/frameworks/kar.h"
#include "hyperllm/frameworks/rlmrec_con.h"
#include "hyperllm/frameworks/rlmrec_gen.h"
#include "hyperllm/manifold/fused.h"
#include "hyperllm/models/model.h"
#include "tests/support/gradcheck.h"

namespace hyperllm::frameworks {
namespace {

using torch::Tensor;

struct Golden {
  double loss;
  std::vector<std::vector<double>> gradients;
};
#include "tests/golden/rival_frameworks.inc"

constexpr std::int64_t kUsers = 4, kItems = 5, kDim = 3, kColumns = 4;

Tensor wave(double start, at::IntArrayRef shape, double size) {
  Tensor values = torch::empty(shape);
  double k = 0;
  for (float& value : manifold::floats(values))
    value = static_cast<float>(size * std::sin(start + 1.7 * k++));
  return values;
}

class GoldenStep : public ::testing::Test {
 protected:
  UserItemTask task() const {
    const std::vector<std::pair<std::int32_t, std::int32_t>> edges = {{0, 0}, {0, 1}, {1, 1}, {1, 2},
                                                                      {2, 3}, {2, 0}, {3, 4}};
    return {models::make_backbone("hgcf", {2, 1.5, manifold::Curvature(0.8)}),
            graph::user_item_graph(data::make_csr(kUsers, kItems, edges)),
            {kUsers, kItems},
            objectives::make_objective("hinge"),
            1.1};
  }
  std::unique_ptr<Embeddings> table() const {
    return make_table("id_embeddings", torch::zeros({kUsers + kItems, kDim}), Storage::kTangents,
                      manifold::Curvature(0.8));
  }
  void expect(const Framework& framework, const Golden& golden) const {
    const std::vector<optim::Parameter> parameters = framework.parameters();
    ASSERT_EQ(parameters.size(), golden.gradients.size());
    {
      const torch::NoGradGuard no_grad;
      for (std::size_t i = 0; i < parameters.size(); ++i)
        Tensor(parameters[i].value).copy_(wave(static_cast<double>(i), parameters[i].value.sizes(), 0.4));
    }
    const Tensor loss = framework.loss(batch_, {true, 1, 1, 0});
    EXPECT_NEAR(loss.item<double>(), golden.loss, 2e-5 * golden.loss);
    loss.backward();
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      const Tensor expected = torch::tensor(golden.gradients[i], torch::kDouble);
      EXPECT_GT(expected.norm().item<double>(), 1e-4) << parameters[i].name << ": nothing to compare";
      EXPECT_LT(test::relative_error(parameters[i].value.grad().view(-1), expected), 1e-4)
          << parameters[i].name;
    }
  }

  const Tensor semantic_ = wave(100, {kUsers + kItems, kColumns}, 1);
  const Batch batch_ = {{{{2, 0, 1, 0}, {7, 4, 6, 5}, {8, 6, 7, 6}}}, {{1, 5, 6}}};
};

TEST_F(GoldenStep, Kar) {
  expect(Kar(task(), nullptr, table(),
             Adaptor(semantic_, {kUsers, kItems},
                     {.experts = 2, .shared_experts = 1, .hidden = 5, .dim = kDim}, Random(1, "kar"))),
         kKar);
}

TEST_F(GoldenStep, RlmrecCon) {
  expect(RlmrecCon(task(), nullptr, table(), semantic_, kDim, {.weight = 0.3, .tau = 0.4}, Random(1, "con")),
         kRlmrecCon);
}

TEST_F(GoldenStep, RlmrecConAgainstAllUsers) {
  expect(RlmrecCon(task(), nullptr, table(), semantic_, kDim, {.weight = 0.3, .tau = 0.4, .all_users = true},
                   Random(1, "con")),
         kRlmrecConAll);
}

TEST_F(GoldenStep, RlmrecGen) {
  expect(RlmrecGen(task(), nullptr, table(), semantic_, kDim, {.weight = 0.3, .tau = 0.4, .rows = 0},
                   Random(1, "gen")),
         kRlmrecGen);
}

}  // namespace
}  // namespace hyperllm::frameworks
