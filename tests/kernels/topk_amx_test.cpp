// The filter ahead of masked_top_k: it may never hold back what beats a bar, and must hold back nearly all
// else.
#include "hyperllm/kernels/topk_amx.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>

#include "tests/support/points.h"

namespace hyperllm::kernels {
namespace {

using Floats = std::vector<float>;

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr std::int64_t kItems = 1000, kUsers = 100, kSixteen = 16, kPanels = (kItems + 31) / 32;

struct Rows {
  Floats values, last;
  std::int64_t dim;
  EmbeddingRows view() const { return {values, dim, last}; }
};

Rows normal_rows(std::int64_t count, std::int64_t dim, bool with_last, std::uint64_t seed) {
  Rows rows{test::normal_floats(count * dim, seed), {}, dim};
  if (with_last) rows.last = test::normal_floats(count, seed + 1, 3);
  return rows;
}

class TopKFilter : public ::testing::Test {
 protected:
  void SetUp() override {
    const float one = 1;
    if (!make_amx_items({std::span(&one, 1), 1, {}})) GTEST_SKIP() << "this processor has no AMX";
  }

  // Scores of the users' catalogue, to the bit as masked_top_k has them.
  void prepare(const Rows& users, const Rows& items) {
    order_.resize(kUsers);
    std::iota(order_.begin(), order_.end(), 0);
    scores_.resize(kUsers * kItems);
    inner_products(users.view(), ItemPanels(items.view()), order_, scores_);
    users_.reset();  // which gives the tile registers back
    items_ = std::make_unique<AmxItems>(items.view());
    users_ = std::make_unique<AmxUsers>(*items_, users.view(), order_);
    users_->score(0, kPanels);
  }

  // The largest score of each 16 items of a user.
  Floats sixteens(std::int64_t user) const {
    Floats largest((kItems + kSixteen - 1) / kSixteen, -kInfinity);
    for (std::int64_t i = 0; i < kItems; ++i)
      largest[i / kSixteen] = std::max(largest[i / kSixteen], scores_[user * kItems + i]);
    return largest;
  }
  float best(std::int64_t user, std::int64_t rank) const {
    Floats all(scores_.begin() + user * kItems, scores_.begin() + (user + 1) * kItems);
    std::sort(all.rbegin(), all.rend());
    return all[rank];
  }

  std::vector<std::vector<bool>> passing(const float* bars) const {  // [user][sixteen]
    std::vector<std::vector<bool>> result(kUsers, std::vector<bool>(2 * kPanels));
    std::uint64_t words[2][AmxUsers::kWords];
    for (std::int64_t panel = 0; panel < kPanels; ++panel) {
      users_->passing(static_cast<std::size_t>(panel), bars, words);
      for (std::int64_t user = 0; user < kUsers; ++user)
        for (std::int64_t half = 0; half < 2; ++half)
          result[user][2 * panel + half] = words[half][user / 64] >> user % 64 & 1;
      for (std::int64_t user = kUsers; user < 64 * static_cast<std::int64_t>(AmxUsers::kWords); ++user)
        EXPECT_FALSE(words[0][user / 64] >> user % 64 & 1) << "there is no user " << user;
    }
    return result;
  }

  // Bars just below some item's score let its sixteen pass; `slack` times as many others at most.
  void expect_bounded(double slack) {
    alignas(64) float bars[detail::kManyUsers];
    for (std::int64_t rank : {0, 4, 60}) {
      std::fill(std::begin(bars), std::end(bars), kInfinity);
      for (std::int64_t user = 0; user < kUsers; ++user)
        bars[user] = std::nextafter(best(user, rank), -kInfinity);
      const auto passed = passing(bars);
      std::int64_t must = 0, may = 0;
      for (std::int64_t user = 0; user < kUsers; ++user) {
        const Floats largest = sixteens(user);
        for (std::size_t s = 0; s < largest.size(); ++s) {
          EXPECT_TRUE(passed[user][s] || largest[s] <= bars[user]) << "user " << user << ", sixteen " << s;
          must += largest[s] > bars[user];
          may += passed[user][s];
        }
      }
      EXPECT_LE(static_cast<double>(may), slack * static_cast<double>(must)) << "rank " << rank;
    }
  }

  // Bars for the best k, of user u's items without those of `masked`.
  void find_bars(std::size_t k, const std::vector<std::vector<std::int32_t>>& masked, float* bars) {
    std::vector<const std::int32_t*> next, end;
    for (const auto& items : masked) {
      next.push_back(items.data());
      end.push_back(items.data() + items.size());
    }
    detail::TopKBlock block{};
    block.users = kUsers;
    block.k = k;
    block.bars = bars;
    block.masks = 1;
    block.mask_next = next.data();
    block.mask_end = end.data();
    users_->find_bars(block);
  }

  // Bars that k items beat that are not masked, and not many more than k sixteens without a masked item.
  void expect_bars(double slack) {
    std::vector<std::vector<std::int32_t>> masked(kUsers);
    for (std::int64_t user = 0; user < kUsers; ++user) {
      const float third = best(user, 2);
      for (std::int32_t item = 0; item < kItems; ++item)  // the best among them, and some twice in a sixteen
        if (item % 97 == user || item % 97 == user + 1 || scores_[user * kItems + item] >= third)
          masked[user].push_back(item);
    }
    alignas(64) float bars[detail::kManyUsers];
    for (const std::size_t k : {1, 20, 40, 60}) {
      find_bars(k, masked, bars);
      double beat = 0, wanted = 0;
      for (std::int64_t user = 0; user < kUsers; ++user) {
        Floats largest = sixteens(user);
        largest.resize(kItems / kSixteen);
        for (std::int32_t item : masked[user])
          if (item / kSixteen < std::ssize(largest)) largest[item / kSixteen] = -kInfinity;
        const auto open =
            std::count_if(largest.begin(), largest.end(), [](float x) { return x > -kInfinity; });
        EXPECT_EQ(std::isnan(bars[user]), open < static_cast<std::int64_t>(k))
            << "k " << k << ", user " << user;
        if (std::isnan(bars[user])) continue;
        std::size_t items = 0;
        for (std::int32_t item = 0; item < kItems; ++item)
          items += scores_[user * kItems + item] > bars[user] &&
                   !std::binary_search(masked[user].begin(), masked[user].end(), item);
        EXPECT_GE(items, k) << "user " << user;
        beat += static_cast<double>(
            std::count_if(largest.begin(), largest.end(), [&](float x) { return x > bars[user]; }));
        wanted += static_cast<double>(k);
      }
      EXPECT_LE(beat, slack * wanted) << "k " << k;
    }
  }

  std::vector<std::int32_t> order_;
  Floats scores_;
  std::unique_ptr<AmxItems> items_;
  std::unique_ptr<AmxUsers> users_;
};

TEST_F(TopKFilter, HoldsBackOnlyWhatCannotPass) {
  for (std::int64_t dim : {1, 7, 16, 29, 31, 49, 64, 100})
    for (bool with_last : {false, true}) {
      SCOPED_TRACE(std::to_string(dim) + (with_last ? " columns and one" : " columns"));
      prepare(normal_rows(kUsers, dim, with_last, 1), normal_rows(kItems, dim, with_last, 5));
      expect_bars(1.6);
      expect_bounded(1.3);  // as if no bars had been looked for
    }
}

// Down to values and parts that the tile unit takes for zero.
TEST_F(TopKFilter, ScalesDoNotMatter) {
  for (const auto& [of_users, of_items] : std::vector<std::pair<float, float>>{
           {1e-12f, 1e-12f}, {1e15f, 1e15f}, {1e-38f, 1e17f}, {3e-39f, 1e-3f}, {1e-25f, 1e-25f}})
    for (bool with_last : {false, true}) {
      SCOPED_TRACE(of_users);
      Rows users = normal_rows(kUsers, 12, with_last, 1), items = normal_rows(kItems, 12, with_last, 5);
      for (Floats* values : {&users.values, &users.last})
        for (float& value : *values) value *= of_users;
      for (Floats* values : {&items.values, &items.last})
        for (float& value : *values) value *= of_items;
      prepare(users, items);
      expect_bounded(1e9);
    }
}

// Points near the origin of the hyperboloid: the column apart is 1 and says almost nothing.
TEST_F(TopKFilter, NearTheOrigin) {
  for (const auto& [scale, slack] :
       std::vector<std::pair<float, double>>{{0.1f, 2.5}, {0.01f, 2.5}, {0.003f, 5}}) {
    SCOPED_TRACE(scale);
    Rows rows[2] = {normal_rows(kUsers, 49, true, 1), normal_rows(kItems, 49, true, 5)};
    for (int side = 0; side < 2; ++side)
      for (std::size_t r = 0; r < rows[side].last.size(); ++r) {
        double squares = 1;
        for (std::size_t k = r * 49; k < (r + 1) * 49; ++k)
          squares += std::pow(rows[side].values[k] *= scale, 2);
        rows[side].last[r] = static_cast<float>((side == 0 ? -1 : 1) * std::sqrt(squares));
      }
    prepare(rows[0], rows[1]);
    expect_bounded(slack);
  }
}

// Values that rounding moves as far as it can, all to the same side, and the column apart likewise.
TEST_F(TopKFilter, WorstRounding) {
  // The second part of `last` is nearly 2^-8, its third 2^-17.
  const float worst = 1 + 0.0039f, last = 1 + 1.0f / 256 - 1.02f / 131072;
  for (float sign : {1.0f, -1.0f}) {
    Rows users = normal_rows(kUsers, 20, true, 1), items = normal_rows(kItems, 20, true, 5);
    for (float& value : users.values) value = worst;
    for (float& value : users.last) value = last;
    for (std::int64_t i = 0; i < kItems; ++i) {
      std::fill_n(items.values.begin() + i * 20, 20, i % 3 == 0 ? sign * worst : sign);
      items.last[i] = i % 2 == 0 ? 40 * last : 40;
    }
    prepare(users, items);
    expect_bounded(1e9);
    expect_bars(1e9);
  }
  // The column apart alone.
  Rows users{Floats(kUsers, 0.0f), Floats(kUsers, last), 1},
      items{Floats(kItems, 0.0f), Floats(kItems, 1), 1};
  for (std::int64_t i = 0; i < kItems; ++i) items.last[i] = i % 5 == 0 ? last : std::nextafter(1.0f, 2.0f);
  prepare(users, items);
  expect_bounded(1e9);
}

TEST_F(TopKFilter, WhatIsNotFinitePasses) {
  for (const float bad : {kNan, kInfinity, -kInfinity, 1e20f}) {
    SCOPED_TRACE(bad);
    Rows users = normal_rows(kUsers, 9, true, 1), items = normal_rows(kItems, 9, true, 5);
    users.values[7 * 9 + 3] = bad;
    users.last[95] = bad;
    items.values[100 * 9] = bad;
    items.last[kItems - 1] = bad;
    prepare(users, items);
    alignas(64) float bars[detail::kManyUsers];
    std::fill(std::begin(bars), std::end(bars), kInfinity);
    std::fill_n(bars, kUsers, 1e6f);
    const auto passed = passing(bars);
    for (std::int64_t user = 0; user < kUsers; ++user)
      for (std::int64_t s = 0; s < 2 * kPanels; ++s)
        EXPECT_EQ(passed[user][s], user == 7 || user == 95 || s / 2 == 100 / 32 || s / 2 == kPanels - 1)
            << "user " << user << ", sixteen " << s;
    find_bars(1, std::vector<std::vector<std::int32_t>>(kUsers), bars);
    EXPECT_TRUE(std::all_of(bars, bars + kUsers, [](float bar) { return std::isnan(bar); }));
  }
}

}  // namespace
}  // namespace hyperllm::kernels
