#include "hyperllm/metrics/ranking.h"

#include <gtest/gtest.h>

#include "hyperllm/base/error.h"

namespace hyperllm::metrics {
namespace {

struct Golden {
  std::int64_t k;
  std::vector<double> values;  // recall, ndcg, precision, hit, mrr, map
};

struct Case {
  std::string name;
  std::vector<std::int32_t> ranked, relevant;
  std::vector<Golden> golden;
};

const std::vector<Case>& cases() {
  static const std::vector<Case> all = {
#include "tests/golden/ranking_metrics.inc"
  };
  return all;
}

TEST(RankingMetrics, AgreeWithPurePython) {
  const std::vector<std::string> names = {"recall", "ndcg", "precision", "hit", "mrr", "map"};
  ASSERT_EQ(cases().size(), 6u);
  for (const Case& c : cases())
    for (const Golden& golden : c.golden)
      for (std::size_t m = 0; m < names.size(); ++m)
        EXPECT_NEAR(metric_by_name(names[m])(c.ranked, c.relevant, golden.k), golden.values[m], 1e-15)
            << c.name << ", " << names[m] << "@" << golden.k;
}

TEST(RankingMetrics, HandComputed) {
  const std::vector<std::int32_t> ranked = {4, 9, 2};
  const std::vector<std::int32_t> relevant = {2, 4};
  EXPECT_DOUBLE_EQ(recall(ranked, relevant, 2), 0.5);
  EXPECT_DOUBLE_EQ(precision(ranked, relevant, 3), 2.0 / 3);
  EXPECT_DOUBLE_EQ(ndcg(ranked, relevant, 3), (1 + 0.5) / (1 + 0.63092975357145743));
  EXPECT_DOUBLE_EQ(mrr(ranked, relevant, 3), 1.0);
  EXPECT_DOUBLE_EQ(average_precision(ranked, relevant, 3), (1 + 2.0 / 3) / 2);
}

TEST(RankingMetrics, EveryListedNameIsKnown) {
  EXPECT_EQ(metric_names().size(), 6u);
  for (const std::string& name : metric_names()) EXPECT_NE(metric_by_name(name), nullptr);
}

TEST(RankingMetrics, UnknownNameSuggestsTheNearest) {
  try {
    metric_by_name("recal");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
    EXPECT_STREQ(error.what(),
                 "unknown metric 'recal'; did you mean 'recall'? Known: recall ndcg precision hit mrr map");
  }
}

}  // namespace
}  // namespace hyperllm::metrics
