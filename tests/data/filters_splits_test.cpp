#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "hyperllm/base/error.h"
#include "hyperllm/base/random.h"
#include "hyperllm/data/filters.h"
#include "hyperllm/data/splits.h"

namespace hyperllm::data {
namespace {

Interactions random_log(std::uint64_t seed, std::uint64_t users, std::uint64_t items, std::size_t count,
                        bool unique) {
  Random random(seed, "filters_splits_test");
  Interactions log;
  std::set<std::pair<std::int32_t, std::int32_t>> seen;
  for (std::size_t i = 0; i < count; ++i) {
    // Squares make some users and items busy, others rare.
    const auto user =
        static_cast<std::int32_t>(random.uniform() * random.uniform() * static_cast<double>(users));
    const auto item =
        static_cast<std::int32_t>(random.uniform() * random.uniform() * static_cast<double>(items));
    if (!seen.emplace(user, item).second && unique) continue;
    log.user.push_back(user);
    log.item.push_back(item);
    log.rating.push_back(static_cast<float>(1 + random.below(5)));
    log.timestamp.push_back(static_cast<double>(random.below(50)));
  }
  return log;
}

// Drops everything below the core round by round until a round drops nothing.
Rows slow_core(const Interactions& log, std::int64_t user_core, std::int64_t item_core) {
  Rows rows;
  for (std::int64_t r = 0; r < log.size(); ++r) rows.push_back(r);
  while (true) {
    std::map<std::int32_t, std::int64_t> user, item;
    for (const auto r : rows) {
      ++user[log.user[r]];
      ++item[log.item[r]];
    }
    Rows left;
    for (const auto r : rows)
      if (user[log.user[r]] >= user_core && item[log.item[r]] >= item_core) left.push_back(r);
    if (left.size() == rows.size()) return rows;
    rows = left;
  }
}

TEST(Filters, KCoreEqualsBruteForce) {
  bool some = false, none = false;
  for (std::uint64_t seed = 0; seed < 30; ++seed) {
    const Interactions log = random_log(seed, 25, 20, 150, true);
    for (const auto& [user_core, item_core] : {std::pair{3, 3}, {5, 2}, {2, 6}, {1, 4}, {0, 0}, {30, 1}}) {
      const Rows expected = slow_core(log, user_core, item_core);
      EXPECT_EQ(k_core(log, 25, 20, user_core, item_core), expected)
          << seed << ": " << user_core << ", " << item_core;
      some |= !expected.empty() && expected.size() < static_cast<std::size_t>(log.size());
      none |= expected.empty();
    }
  }
  EXPECT_TRUE(some && none) << "the logs do not exercise the filter";
}

TEST(Filters, LastOfDuplicatesEqualsBruteForce) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const Interactions log = random_log(seed, 6, 6, 60, false);
    std::map<std::pair<std::int32_t, std::int32_t>, std::int64_t> last, first;
    std::pair<std::int64_t, std::int64_t> duplicate{-1, -1};
    for (std::int64_t r = 0; r < log.size(); ++r) {
      const auto pair = std::pair{log.user[r], log.item[r]};
      const auto found = last.find(pair);
      if (found == last.end() || log.timestamp[r] >= log.timestamp[found->second]) last[pair] = r;
      if (!first.emplace(pair, r).second && duplicate.first < 0) duplicate = {first[pair], r};
    }
    Rows expected;
    for (const auto& [pair, row] : last) expected.push_back(row);
    std::sort(expected.begin(), expected.end());
    EXPECT_EQ(last_of_duplicates(log), expected);
    EXPECT_EQ(first_duplicate(log), duplicate);
  }
  EXPECT_EQ(first_duplicate(random_log(1, 6, 6, 30, true)), std::nullopt);
}

TEST(Filters, RatedAtLeastIncludesTheBound) {
  const Interactions log{{0, 0, 0}, {0, 1, 2}, {3.5f, 4, 4.5f}, {0, 0, 0}};
  EXPECT_EQ(rated_at_least(log, 4), (Rows{1, 2}));
  EXPECT_EQ(take_rows(log, {2, 0}).item, (std::vector<std::int32_t>{2, 0}));
}

TEST(Splits, HeldOutFollowsThePapersRule) {
  for (std::int64_t n = 3; n < 200; ++n) {
    const Shares shares = held_out(n, 0.1, 0.1);
    EXPECT_EQ(shares.valid, std::max<std::int64_t>(1, n / 10)) << n;
    EXPECT_EQ(shares.test, shares.valid) << n;
  }
  EXPECT_EQ(held_out(1, 0.1, 0.1).test + held_out(1, 0.1, 0.1).valid, 0);
  EXPECT_EQ(held_out(2, 0.1, 0.1).test, 1);
  EXPECT_EQ(held_out(2, 0.1, 0.1).valid, 0);
  EXPECT_EQ(held_out(10, 0.3, 0).valid, 3);  // 0.3 * 10 is a little less than 3 in floating point
  EXPECT_EQ(held_out(10, 0.3, 0).test, 0);
  EXPECT_EQ(held_out(100, 0.29, 0.57).valid, 29);
  EXPECT_EQ(held_out(100, 0.29, 0.57).test, 57);
}

std::map<std::int32_t, std::map<Part, std::int64_t>> counts(const Interactions& log, const Parts& parts) {
  std::map<std::int32_t, std::map<Part, std::int64_t>> result;
  for (std::size_t r = 0; r < parts.size(); ++r) ++result[log.user[r]][parts[r]];
  return result;
}

TEST(Splits, RatioGivesEachUserItsSharesAndDependsOnTheSeed) {
  const Interactions log = random_log(1, 40, 60, 900, true);
  const Parts parts = split_by_ratio(log, 40, 0.1, 0.2, 7);
  for (auto& [user, of] : counts(log, parts)) {
    const Shares shares = held_out(of[Part::kTrain] + of[Part::kValid] + of[Part::kTest], 0.1, 0.2);
    EXPECT_EQ(of[Part::kValid], shares.valid) << user;
    EXPECT_EQ(of[Part::kTest], shares.test) << user;
  }
  EXPECT_EQ(split_by_ratio(log, 40, 0.1, 0.2, 7), parts);
  EXPECT_NE(split_by_ratio(log, 40, 0.1, 0.2, 8), parts);
}

// Over many seeds every row of a user is tested about equally often.
TEST(Splits, RatioChoosesEvenly) {
  Interactions log;
  for (std::int32_t i = 0; i < 10; ++i) {
    log.user.push_back(0);
    log.item.push_back(i);
  }
  std::map<std::size_t, int> tested;
  for (std::uint64_t seed = 0; seed < 4000; ++seed) {
    const Parts parts = split_by_ratio(log, 1, 0.1, 0.1, seed);
    ++tested[static_cast<std::size_t>(std::find(parts.begin(), parts.end(), Part::kTest) - parts.begin())];
  }
  for (std::size_t row = 0; row < 10; ++row)
    EXPECT_NEAR(tested[row], 400, 100) << row;  // 5 standard deviations
}

TEST(Splits, LeaveLastOutKeepsTheOrderOfTime) {
  const Interactions log = random_log(2, 60, 60, 300, true);
  const Parts parts = split_leave_last_out(log, 60);
  for (auto& [user, of] : counts(log, parts)) {
    const std::int64_t n = of[Part::kTrain] + of[Part::kValid] + of[Part::kTest];
    EXPECT_EQ(of[Part::kTest], n > 1) << user;
    EXPECT_EQ(of[Part::kValid], n > 2) << user;
  }
  for (std::size_t a = 0; a < parts.size(); ++a)
    for (std::size_t b = 0; b < parts.size(); ++b)
      if (log.user[a] == log.user[b] && parts[a] < parts[b]) {
        EXPECT_TRUE(log.timestamp[a] < log.timestamp[b] || (log.timestamp[a] == log.timestamp[b] && a < b));
      }
}

TEST(Splits, TimeCutsOnceForEverybody) {
  const Interactions log = random_log(3, 20, 40, 400, true);
  const Parts parts = split_by_time(log, 0.1, 0.2);
  std::map<Part, std::int64_t> sizes;
  for (std::size_t a = 0; a < parts.size(); ++a) {
    ++sizes[parts[a]];
    for (std::size_t b = 0; b < parts.size(); ++b)
      if (parts[a] < parts[b]) {
        EXPECT_LT(log.timestamp[a], log.timestamp[b]);
      }
  }
  EXPECT_GT(sizes[Part::kTest], 0);
  EXPECT_LE(sizes[Part::kTest], log.size() / 5);  // ties go to the earlier part
  EXPECT_GT(sizes[Part::kValid], 0);
  Interactions even{{0, 0, 0, 0, 0}, {0, 1, 2, 3, 4}, {1, 1, 1, 1, 1}, {5, 1, 4, 2, 3}};
  EXPECT_EQ(split_by_time(even, 0.2, 0.2),
            (Parts{Part::kTest, Part::kTrain, Part::kValid, Part::kTrain, Part::kTrain}));
}

TEST(Splits, RatiosThatLeaveNothingAreErrors) {
  const Interactions log = random_log(4, 5, 5, 10, true);
  EXPECT_THROW(split_by_ratio(log, 5, 0.5, 0.5, 1), Error);
  EXPECT_THROW(split_by_ratio(log, 5, -0.1, 0.5, 1), Error);
  EXPECT_THROW(split_by_time(log, 0.1, 1), Error);
  EXPECT_TRUE(split_by_time({}, 0.1, 0.1).empty());
}

}  // namespace
}  // namespace hyperllm::data
