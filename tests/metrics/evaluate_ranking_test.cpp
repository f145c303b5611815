#include "hyperllm/metrics/evaluate_ranking.h"

#include <gtest/gtest.h>

#include "hyperllm/base/error.h"
#include "hyperllm/base/parallel.h"
#include "hyperllm/base/random.h"
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

// Rows of up to `most` distinct items; every third user has none.
data::Csr random_relevant(std::int64_t users, std::int64_t items, std::uint64_t most,
                          std::string_view stream) {
  Random random(3, stream);
  std::vector<std::pair<std::int32_t, std::int32_t>> pairs;
  for (std::int32_t u = 0; u < users; ++u)
    for (std::uint64_t n = u % 3 == 0 ? 0 : 1 + random.below(most); n > 0; --n)
      pairs.emplace_back(u, static_cast<std::int32_t>(random.below(static_cast<std::uint64_t>(items))));
  return data::make_csr(users, items, pairs);
}

TEST(EvaluateRanking, EqualsTheMetricsOneByOneForAnyNumberOfThreads) {
  const std::int64_t users = 2000, items = 90, width = 7;
  const std::vector<std::int64_t> ks = {1, 5, 10};
  Random random(3, "ranked");
  std::vector<std::int32_t> all, ranked;
  for (std::int32_t u = 0; u < users; ++u) {
    all.push_back(u);
    const auto first = static_cast<std::int32_t>(random.below(13));
    for (std::int32_t r = 0; r < width; ++r) ranked.push_back(r < 6 ? (first + 13 * r) % 90 : -1);
  }
  for (const std::uint64_t most : {1, 16, 40}) {
    const data::Csr relevant = random_relevant(users, items, most, "relevant");
    set_num_threads(1);
    const RankingValues one = evaluate_ranking(all, ranked, width, relevant, metric_names(), ks);
    std::vector<double> expected;
    for (const std::int32_t u : one.users)
      for (const std::string& name : metric_names())
        for (const std::int64_t k : ks)
          expected.push_back(
              metric_by_name(name)(std::span(ranked).subspan(u * width, width), relevant.row(u), k));
    EXPECT_EQ(one.users.size(), 1333u);
    EXPECT_EQ(one.values, expected);
    set_num_threads(4);
    const RankingValues four = evaluate_ranking(all, ranked, width, relevant, metric_names(), ks);
    EXPECT_EQ(four.values, one.values);
    EXPECT_EQ(four.means, one.means);
    set_num_threads(0);
  }
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
