#include "hyperllm/base/random.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <vector>

namespace hyperllm {
namespace {

TEST(Random, StoredStateContinuesTheStream) {
  Random stream(7, "a");
  for (int i = 0; i < 10; ++i) stream();
  Random continued(stream.state());
  for (int i = 0; i < 10; ++i) EXPECT_EQ(stream(), continued());
}

TEST(Random, NamesAndSeedsGiveDifferentStreams) {
  EXPECT_NE(Random(7, "a")(), Random(7, "b")());
  EXPECT_NE(Random(7, "a")(), Random(8, "a")());
}

TEST(Random, BelowIsUniform) {
  Random stream(1, "below");
  std::vector<int> counts(7);
  for (int i = 0; i < 70000; ++i) ++counts[stream.below(7)];
  double chi2 = 0;
  for (int count : counts) chi2 += (count - 10000.0) * (count - 10000.0) / 10000.0;
  EXPECT_LT(chi2, 22.5);  // 99.9 % of the chi-square distribution with 6 degrees of freedom
}

TEST(Random, NormalHasUnitMoments) {
  Random stream(1, "normal");
  double sum = 0, squares = 0;
  const int n = 100000;
  for (int i = 0; i < n; ++i) {
    const double x = stream.normal();
    sum += x;
    squares += x * x;
  }
  EXPECT_NEAR(sum / n, 0, 0.013);
  EXPECT_NEAR(squares / n, 1, 0.02);
}

TEST(Random, ShuffleIsAPermutation) {
  std::vector<int> values(100);
  std::iota(values.begin(), values.end(), 0);
  const std::vector<int> before = values;
  Random(3, "shuffle").shuffle(std::span<int>(values));
  EXPECT_NE(values, before);
  std::sort(values.begin(), values.end());
  EXPECT_EQ(values, before);
}

}  // namespace
}  // namespace hyperllm
