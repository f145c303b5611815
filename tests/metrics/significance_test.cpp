#include "hyperllm/metrics/significance.h"

#include <cmath>

#include "hyperllm/base/parallel.h"
#include "hyperllm/base/random.h"
#include "tests/support/folder.h"

namespace hyperllm::metrics {
namespace {

struct Case {
  std::string name;
  std::vector<double> a, b;
  double t_test_p, wilcoxon_p;
};

const std::vector<Case>& cases() {
  static const std::vector<Case> all = {
#include "tests/golden/significance.inc"
  };
  return all;
}

TEST(PairedTest, AgreesWithSciPy) {
  ASSERT_EQ(cases().size(), 5u);
  for (const Case& c : cases()) {
    const PairedTest test = paired_test(c.a, c.b, 10, 1);
    EXPECT_NEAR(test.t_test_p / c.t_test_p, 1, 1e-9) << c.name;
    EXPECT_NEAR(test.wilcoxon_p / c.wilcoxon_p, 1, 1e-9) << c.name;
  }
}

// For many users the percentile interval is the normal one.
TEST(PairedTest, BootstrapIntervalOfAKnownSpread) {
  Random random(3, "pairs");
  std::vector<double> a(4000), b(4000);
  for (std::size_t i = 0; i < a.size(); ++i) {
    a[i] = random.normal();
    b[i] = a[i] + 0.1 + random.normal();
  }
  const PairedTest test = paired_test(a, b, 2000, 1);
  const double half = 1.96 / std::sqrt(4000.0);
  EXPECT_NEAR(test.high - test.low, 2 * half, 0.1 * half);
  EXPECT_NEAR((test.high + test.low) / 2, test.mean_difference, 0.1 * half);
}

TEST(PairedTest, SeedDecidesNotTheThreads) {
  const Case& c = cases().back();
  set_num_threads(1);
  const PairedTest one = paired_test(c.a, c.b, 500, 1), other = paired_test(c.a, c.b, 500, 2);
  set_num_threads(4);
  const PairedTest four = paired_test(c.a, c.b, 500, 1);
  set_num_threads(0);
  EXPECT_EQ(one.low, four.low);
  EXPECT_EQ(one.high, four.high);
  EXPECT_NE(one.low, other.low);
}

TEST(PairedTest, EqualRunsDoNotDiffer) {
  const std::vector<double> a = {0, 1, 0.5};
  const PairedTest test = paired_test(a, a, 100, 1);
  EXPECT_EQ(test.t_test_p, 1);
  EXPECT_EQ(test.wilcoxon_p, 1);
  EXPECT_EQ(test.low, 0);
  EXPECT_EQ(test.high, 0);
}

TEST(PairedTest, BadArguments) {
  const std::vector<double> one = {1}, two = {1, 2}, three = {1, 2, 3};
  test::expect_error(ErrorCode::kInvalidArgument, {"got 2 and 3"}, [&] { paired_test(two, three, 10, 1); });
  test::expect_error(ErrorCode::kInvalidArgument, {"two users at least"},
                     [&] { paired_test(one, one, 10, 1); });
  test::expect_error(ErrorCode::kInvalidArgument, {"resamples"}, [&] { paired_test(two, two, 0, 1); });
}

TEST(Holm, HandComputed) {
  const std::vector<double> p = {0.03, 0.01, 0.04, 0.9};
  const std::vector<double> expected = {0.09, 0.04, 0.09, 0.9};
  const auto corrected = holm(p);
  for (std::size_t i = 0; i < p.size(); ++i) EXPECT_DOUBLE_EQ(corrected[i], expected[i]);
  EXPECT_EQ(holm(std::vector<double>{0.8, 0.9}), (std::vector<double>{1, 1}));
}

TEST(Ratio, OfSumsWithItsInterval) {
  Random random(9, "entries");
  std::vector<double> above(3000), below(3000);
  for (std::size_t i = 0; i < above.size(); ++i) {
    below[i] = 1 + random.uniform();
    above[i] = 2 * below[i] + random.normal();
  }
  // By the delta method the ratio's deviation is 1 / (1.5 sqrt(3000)).
  const Ratio ratio = bootstrap_ratio(above, below, 2000, 1);
  EXPECT_NEAR(ratio.value, 2, 0.04);
  EXPECT_NEAR(ratio.high - ratio.low, 2 * 1.96 / (1.5 * std::sqrt(3000.0)), 0.003);
  const PairedTest test = paired_test(below, above, 500, 3);
  std::vector<double> differences(above.size());
  for (std::size_t i = 0; i < above.size(); ++i) differences[i] = above[i] - below[i];
  EXPECT_EQ(bootstrap_ratio(differences, std::vector<double>(above.size(), 1.0), 500, 3).low, test.low);
}

TEST(Ratio, ZeroBelowTheLineIsNoNumber) {
  const Ratio none = bootstrap_ratio(std::vector<double>{1, 2}, std::vector<double>{0, 0}, 10, 1);
  EXPECT_TRUE(std::isnan(none.value) && std::isnan(none.low) && std::isnan(none.high));
  const Ratio rare = bootstrap_ratio(std::vector<double>{1, 2}, std::vector<double>{0, 1}, 100, 1);
  EXPECT_EQ(rare.value, 3);
  EXPECT_TRUE(std::isnan(rare.low)) << "some samples have the zero alone";
  test::expect_error(ErrorCode::kInvalidArgument, {"one length"},
                     [] { bootstrap_ratio(std::vector<double>{1}, std::vector<double>{}, 10, 1); });
}

}  // namespace
}  // namespace hyperllm::metrics
