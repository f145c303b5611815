// A few users and items around which the rival frameworks are tried.
#pragma once

#include <gtest/gtest.h>

#include "hyperllm/frameworks/embeddings.h"
#include "hyperllm/frameworks/framework.h"
#include "hyperllm/frameworks/hyperllm.h"
#include "hyperllm/manifold/fused.h"
#include "hyperllm/models/model.h"
#include "tests/laws/planted_backbones.h"
#include "tests/support/planted_dataset.h"

namespace hyperllm::test {

class SmallTask : public ::testing::Test {
 protected:
  static constexpr std::int64_t kUsers = 6, kItems = 8, kNodes = 14, kDim = 4, kColumns = 5;

  SmallTask() { add_planted_backbones(); }

  frameworks::UserItemTask task(const std::string& backbone = "hgcf") const {
    return {models::make_backbone(backbone, {2, 1.5, manifold::Curvature(0.8)}),
            graph_,
            {kUsers, kItems},
            objectives::make_objective("hinge"),
            1.1};
  }
  std::unique_ptr<frameworks::Embeddings> table() const {
    return frameworks::make_table("id_embeddings", e_, frameworks::Storage::kTangents,
                                  manifold::Curvature(0.8));
  }
  // Loss and the ID embeddings' gradient of the framework alone.
  std::pair<double, Tensor> base(const std::string& backbone = "hgcf") const {
    return step(frameworks::HyperLlm(task(backbone), nullptr, table(), std::nullopt));
  }
  std::pair<double, Tensor> step(const frameworks::Framework& framework) const {
    const Tensor loss = framework.loss(batch_, kPass);
    loss.backward();
    return {loss.item<double>(), framework.parameters().at(0).value.grad().clone()};
  }
  static const optim::Parameter& named(const std::vector<optim::Parameter>& all, const std::string& name) {
    for (const optim::Parameter& parameter : all)
      if (parameter.name == name) return parameter;
    throw Error(ErrorCode::kInvalidArgument, "no parameter " + name);
  }
  static void fill(const optim::Parameter& parameter, const Tensor& values) {
    const torch::NoGradGuard no_grad;
    Tensor(parameter.value).copy_(values);
  }

  static constexpr Pass kPass{true, 1, 1, 0};
  const data::Dataset data_ = planted_interactions({kUsers, kItems, 2, true, true});
  const std::shared_ptr<const data::Csr> train_ = std::make_shared<const data::Csr>(data_.train_csr());
  const graph::GraphPtr graph_ = graph::user_item_graph(*train_);
  const Tensor e_ = frameworks::uniform_tangents(kNodes, kDim, 0.4, Random(1, "ids"));
  const Tensor semantic_ = frameworks::uniform_tangents(kNodes, kColumns, 1, Random(1, "semantic"));
  // Nodes: users 0 to 5, items 6 to 13; some several times.
  const frameworks::Batch batch_ = {{{{5, 0, 1, 0}, {13, 6, 9, 8}, {12, 7, 8, 7}}}, {{1, 6, 9}}};
};

}  // namespace hyperllm::test
