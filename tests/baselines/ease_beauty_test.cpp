// EASE on the authors' Amazon-Beauty split: the figures of the issue, measured with NumPy.
#include <gtest/gtest.h>

#include <numeric>

#include "hyperllm/artifact/npy.h"
#include "hyperllm/baselines/ease.h"
#include "hyperllm/baselines/popularity.h"
#include "hyperllm/metrics/evaluate_ranking.h"
#include "hyperllm/retrieval/scorer.h"
#include "tests/support/folder.h"

namespace hyperllm::baselines {
namespace {

TEST(EaseOnBeauty, ReachesTheKnownFigures) {
  const auto folder = test::beauty_folder();
  if (folder.empty())
    GTEST_SKIP() << "needs Amazon-Beauty: set HYPERLLM_DATA to the folder that holds amazon-beauty/";
  const data::Csr train = artifact::read_scipy_csr(folder / "train_matrix.npz");
  const data::Csr test = artifact::read_scipy_csr(folder / "test_matrix.npz");
  EaseOptions options;
  options.lambda = 100;
  const auto scorer = retrieval::make_item_item_scorer(ease(train, options).values, train);
  std::vector<std::int32_t> users(static_cast<std::size_t>(train.rows));
  std::iota(users.begin(), users.end(), 0);
  const std::vector<const data::Csr*> masks = {&train};
  const auto top = retrieval::top_k(*scorer, users, masks, 20);
  const auto values = metrics::evaluate_ranking(users, top.items, 20, test, {"recall", "ndcg"}, {10, 20});
  EXPECT_EQ(values.users.size(), 10553u);
  const std::vector<double> known = {.1343, .1768, .0819, .0931};
  for (std::size_t i = 0; i < known.size(); ++i) {
    EXPECT_NEAR(values.means[i] / known[i], 1, 0.01) << values.columns[i];
    RecordProperty(values.columns[i], std::to_string(values.means[i]));
  }
}

}  // namespace
}  // namespace hyperllm::baselines
