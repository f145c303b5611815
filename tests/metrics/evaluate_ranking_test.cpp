#include "hyperllm/metrics/evaluate_ranking.h"

#include <gtest/gtest.h>

#include "hyperllm/base/error.h"
#include "hyperllm/metrics/ranking.h"

namespace hyperllm::metrics {
namespace {

// Four users, six items; user 1 has nothing to find.
const data::Csr kRelevant = {4, 6, {0, 2, 2, 3, 5}, {0, 3, 5, 1, 2}};
const std::vector<std::int32_t> kRanked = {3, 4, 0, 1, 2, 3, 4, 0, 1, 2, 1, -1};

TEST(EvaluateRanking, ValuesPerUserAndMeans) {
  const std::vector<std::int32_t> users = {0, 1, 2, 3};
  const RankingValues values = evaluate_ranking(users, kRanked, 3, kRelevant, {"recall", "ndcg"}, {1, 3});
  EXPECT_EQ(values.columns, (std::vector<std::string>{"recall@1", "recall@3", "ndcg@1", "ndcg@3"}));
  EXPECT_EQ(values.users, (std::vector<std::int32_t>{0, 2, 3}));
  const double ndcg0 = (1 + 0.5) / (1 + 0.63092975357145743);
  const std::vector<double> expected = {0.5, 1, 1, ndcg0, 0, 0, 0, 0, 0.5, 1, 1, 1};
  ASSERT_EQ(values.values.size(), expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i) EXPECT_DOUBLE_EQ(values.values[i], expected[i]) << i;
  EXPECT_DOUBLE_EQ(values.mean("recall@1"), 1.0 / 3);
  EXPECT_DOUBLE_EQ(values.mean("recall@3"), 2.0 / 3);
  EXPECT_DOUBLE_EQ(values.mean("ndcg@3"), (ndcg0 + 1) / 3);
}

TEST(EvaluateRanking, RowsFollowTheGivenUsers) {
  const std::vector<std::int32_t> users = {3, 0};
  const std::vector<std::int32_t> ranked = {2, 1, -1, 3, 4, 0};
  const RankingValues values = evaluate_ranking(users, ranked, 3, kRelevant, {"recall"}, {3});
  EXPECT_EQ(values.users, users);
  EXPECT_EQ(values.values, (std::vector<double>{1, 1}));
}

TEST(EvaluateRanking, NobodyToEvaluateGivesZeroMeans) {
  const std::vector<std::int32_t> users = {1};
  const std::vector<std::int32_t> ranked = {1, 2};
  const RankingValues values = evaluate_ranking(users, ranked, 2, kRelevant, {"hit"}, {2});
  EXPECT_TRUE(values.users.empty());
  EXPECT_EQ(values.mean("hit@2"), 0.0);
}

TEST(EvaluateRanking, BadArgumentsAreNamed) {
  const std::vector<std::int32_t> users = {0};
  const std::vector<std::int32_t> ranked = {1, 2};
  const auto message = [&](std::vector<std::string> metrics, std::vector<std::int64_t> ks) -> std::string {
    try {
      evaluate_ranking(users, ranked, 2, kRelevant, metrics, ks).mean("recall@2");
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
      return error.what();
    }
    return "";
  };
  EXPECT_EQ(message({"recall"}, {2}), "");
  EXPECT_NE(message({"ndgc"}, {2}).find("did you mean 'ndcg'"), std::string::npos);
  EXPECT_NE(message({"recall"}, {0}).find("K must be at least 1, got 0"), std::string::npos);
  EXPECT_NE(message({}, {2}).find("no metric given"), std::string::npos);
  EXPECT_EQ(message({"recall", "ndcg"}, {2, 2}), "recall@2 is asked for twice");
  EXPECT_NE(message({"recall"}, {}).find("no K given"), std::string::npos);
  EXPECT_EQ(message({"recall"}, {1}), "metric 'recall@2' was not computed; did you mean 'recall@1'?");
}

}  // namespace
}  // namespace hyperllm::metrics
