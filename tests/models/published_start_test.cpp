// HRCF and HICF on the authors' Amazon-Beauty before their first step, where the published first losses come
// from.
#include <gtest/gtest.h>

#include <cmath>

#include "hyperllm/artifact/npy.h"
#include "hyperllm/manifold/fused.h"
#include "hyperllm/models/model.h"
#include "tests/support/folder.h"

namespace hyperllm::models {
namespace {

using torch::Tensor;

class OnBeauty : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto folder = test::beauty_folder();
    if (folder.empty())
      GTEST_SKIP() << "needs Amazon-Beauty: set HYPERLLM_DATA to the folder that holds amazon-beauty/";
    train_ = artifact::read_scipy_csr(folder / "train_matrix.npz");
    graph_ = graph::user_item_graph(train_);
    tangents_ = uniform_tangents(train_.rows + train_.cols, 49, 0.1, Random(1, "tangents"));
  }
  Tensor points(const Backbone& model) const { return model.encode(tangents_, graph_, {true, 1, 1, 0}); }

  data::Csr train_;
  graph::GraphPtr graph_;
  Tensor tangents_;
};

TEST_F(OnBeauty, HrcfStartsWithTheKnownTerm) {
  const auto model = make_backbone("hrcf", {});
  const Tensor h = points(*model);
  const Tensor items = h.narrow(0, train_.rows, train_.cols).to(torch::kDouble);
  const double rms =
      std::sqrt(manifold::logmap0_rows(items, manifold::Curvature(1)).square().sum(1).mean().item<double>());
  EXPECT_NEAR(rms, 0.270, 0.001);
  const objectives::Pairs none;
  const Tensor term = model->auxiliary_loss({tangents_, h, graph_, {train_.rows, train_.cols}, none}, {});
  EXPECT_NEAR(term.item<double>(), 92.4, 0.3);
}

// Mean sigmoid(delta) of the positives: with a margin of 1 and no hinge closed, what the loss has beside
// squared distances.
TEST_F(OnBeauty, HicfStartsWithTheKnownMargins) {
  const Tensor h = points(*make_backbone("hicf", {})).to(torch::kDouble);
  std::vector<std::int64_t> users, items;
  for (std::int64_t user = 0; user < train_.rows; ++user)
    for (const std::int32_t item : train_.row(user)) {
      users.push_back(user);
      items.push_back(train_.rows + item);
    }
  objectives::Pairs pairs;
  pairs.anchor.assign(users.begin(), users.end());
  pairs.positive.assign(items.begin(), items.end());
  pairs.candidates = pairs.positive;  // the positive itself: the distances cancel
  const objectives::Task task{pairs, {train_.rows, train_.cols}};
  const Tensor loss = objectives::make_objective("hicf")->loss(h.to(torch::kFloat), {&task, 1}, 1, {});
  EXPECT_NEAR(loss.item<double>() / static_cast<double>(users.size()), 0.5046, 0.0003);
}

}  // namespace
}  // namespace hyperllm::models
