// The masked top-k against a full sort, and its independence of the number of threads.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>

#include "hyperllm/base/error.h"
#include "hyperllm/base/parallel.h"
#include "hyperllm/base/random.h"
#include "hyperllm/retrieval/scorer.h"

namespace hyperllm::retrieval {
namespace {

data::Csr random_mask(std::int64_t rows, std::int64_t cols, double density, std::string_view stream) {
  Random random(11, stream);
  data::Csr csr{rows, cols, {0}, {}};
  for (std::int64_t r = 0; r < rows; ++r) {
    for (std::int64_t c = 0; c < cols; ++c)
      if (random.uniform() < density) csr.indices.push_back(static_cast<std::int32_t>(c));
    csr.indptr.push_back(csr.nnz());
  }
  return csr;
}

std::vector<float> random_values(std::int64_t count, std::string_view stream) {
  Random random(5, stream);
  std::vector<float> values(static_cast<std::size_t>(count));
  for (float& value : values) value = static_cast<float>(random.normal());
  return values;
}

std::vector<std::int32_t> first_users(std::int64_t count) {
  std::vector<std::int32_t> users(static_cast<std::size_t>(count));
  std::iota(users.begin(), users.end(), 0);
  return users;
}

bool in_row(const data::Csr& csr, std::int64_t row, std::int32_t column) {
  const auto ids = csr.row(row);
  return std::find(ids.begin(), ids.end(), column) != ids.end();
}

// Scores rounded to few values, so that ties are everywhere.
class TableScorer final : public Scorer {
 public:
  TableScorer(std::int64_t users, std::int64_t items, std::vector<float> values)
      : users_(users), items_(items), values_(std::move(values)) {}
  std::int64_t num_users() const override { return users_; }
  std::int64_t num_items() const override { return items_; }
  void score(std::span<const std::int32_t> users, std::span<float> out) const override {
    for (std::size_t b = 0; b < users.size(); ++b)
      std::copy_n(values_.begin() + users[b] * items_, items_,
                  out.begin() + static_cast<std::ptrdiff_t>(b) * items_);
  }
  float at(std::int64_t user, std::int64_t item) const { return values_[user * items_ + item]; }

 private:
  std::int64_t users_, items_;
  std::vector<float> values_;
};

std::vector<std::int32_t> brute_force(const TableScorer& scorer, std::int32_t user, const data::Csr& a,
                                      const data::Csr& b, std::size_t k) {
  std::vector<std::int32_t> left;
  for (std::int32_t i = 0; i < scorer.num_items(); ++i)
    if (!in_row(a, user, i) && !in_row(b, user, i)) left.push_back(i);
  std::stable_sort(left.begin(), left.end(),
                   [&](std::int32_t x, std::int32_t y) { return scorer.at(user, x) > scorer.at(user, y); });
  left.resize(k, -1);
  return left;
}

TEST(TopK, EqualsAFullSortWithTiesAndTwoMasks) {
  const std::int64_t users = 530, items = 203;
  for (const double steps : {0.0, 2.0, 1000.0}) {
    auto values = random_values(users * items, "table");
    for (float& value : values) value = static_cast<float>(std::round(value * steps) / (steps + 1));
    const TableScorer scorer(users, items, std::move(values));
    const data::Csr a = random_mask(users, items, 0.1, "a"), b = random_mask(users, items, 0.3, "b");
    const std::vector<const data::Csr*> masks = {&a, &b};
    for (const std::int64_t k : {1, 7, 20, 202, 203, 300}) {
      const TopK top = top_k(scorer, first_users(users), masks, k);
      for (std::int32_t u = 0; u < users; ++u) {
        const auto expected = brute_force(scorer, u, a, b, static_cast<std::size_t>(k));
        const std::vector<std::int32_t> found(top.items.begin() + u * k, top.items.begin() + (u + 1) * k);
        ASSERT_EQ(found, expected) << "user " << u << ", k " << k;
        for (std::int64_t r = 0; r < k; ++r)
          ASSERT_EQ(top.scores[u * k + r],
                    found[r] < 0 ? -std::numeric_limits<float>::infinity() : scorer.at(u, found[r]));
      }
    }
  }
}

TEST(TopK, UsersInAnyOrderAndRepeated) {
  const TableScorer scorer(3, 2, {1, 2, 4, 3, 6, 5});
  const std::vector<std::int32_t> users = {2, 0, 2};
  EXPECT_EQ(top_k(scorer, users, {}, 1).items, (std::vector<std::int32_t>{0, 1, 0}));
}

TEST(TopK, InfinitiesAreOrdinaryScores) {
  const float inf = std::numeric_limits<float>::infinity();
  const TableScorer scorer(1, 5, {-inf, 1, inf, -inf, 0});
  const std::vector<std::int32_t> users = {0};
  EXPECT_EQ(top_k(scorer, users, {}, 5).items, (std::vector<std::int32_t>{2, 1, 4, 0, 3}));
  EXPECT_EQ(top_k(scorer, users, {}, 2).items, (std::vector<std::int32_t>{2, 1}));
}

// Lorentz with the real formula in double decides the order; float may only swap what is equal to 1e-5.
TEST(TopK, LorentzAgreesWithDoubleBruteForce) {
  const std::int64_t users = 40, items = 500, dim = 49, k = 20;
  auto x = random_values(users * dim, "x"), y = random_values(items * dim, "y");
  for (auto* values : {&x, &y})
    for (float& value : *values) value *= 0.2F;
  const auto scorer = make_embedding_scorer({Geometry::kLorentz}, x, y, dim);
  const TopK top = top_k(*scorer, first_users(users), {}, k);
  for (std::int64_t u = 0; u < users; ++u) {
    std::vector<double> distances;
    for (std::int64_t i = 0; i < items; ++i) {
      double xx = 1, yy = 1, xy = 0;
      for (std::int64_t d = 0; d < dim; ++d) {
        xx += static_cast<double>(x[u * dim + d]) * x[u * dim + d];
        yy += static_cast<double>(y[i * dim + d]) * y[i * dim + d];
        xy += static_cast<double>(x[u * dim + d]) * y[i * dim + d];
      }
      distances.push_back(std::acosh(std::sqrt(xx) * std::sqrt(yy) - xy));
    }
    auto sorted = distances;
    std::sort(sorted.begin(), sorted.end());
    for (std::int64_t r = 0; r < k; ++r) EXPECT_NEAR(distances[top.items[u * k + r]], sorted[r], 1e-5);
  }
}

TEST(TopK, SameBytesForAnyNumberOfThreads) {
  const std::int64_t users = 1500, items = 777, dim = 33, k = 20;
  const auto x = random_values(users * dim, "x");
  auto y = random_values(items * dim, "y");
  for (auto geometry : {Geometry::kLorentz, Geometry::kEuclidean, Geometry::kPoincare}) {
    std::vector<float> a = x, b = y;
    if (geometry == Geometry::kPoincare)
      for (auto* values : {&a, &b})
        for (float& value : *values) value *= 0.05F;
    const auto scorer = make_embedding_scorer({geometry}, a, b, dim);
    const data::Csr mask = random_mask(users, items, 0.02, "mask");
    const std::vector<const data::Csr*> masks = {&mask};
    set_num_threads(1);
    const TopK one = top_k(*scorer, first_users(users), masks, k);
    for (const int threads : {2, 4}) {
      set_num_threads(threads);
      const TopK more = top_k(*scorer, first_users(users), masks, k);
      EXPECT_EQ(one.items, more.items);
      EXPECT_EQ(std::memcmp(one.scores.data(), more.scores.data(), one.scores.size() * sizeof(float)), 0);
    }
    set_num_threads(0);
  }
}

// The same scores through the path that knows no inner product.
class HiddenProducts final : public Scorer {
 public:
  explicit HiddenProducts(const Scorer& scorer) : scorer_(scorer) {}
  std::int64_t num_users() const override { return scorer_.num_users(); }
  std::int64_t num_items() const override { return scorer_.num_items(); }
  void score(std::span<const std::int32_t> users, std::span<float> out) const override {
    scorer_.score(users, out);
  }

 private:
  const Scorer& scorer_;
};

TEST(TopK, InnerProductsEqualTheGenericPathWithAndWithoutState) {
  const std::int64_t users = 700, items = 1201, dim = 21;
  const data::Csr a = random_mask(users, items, 0.02, "a"), b = random_mask(users, items, 0.01, "b");
  const std::vector<const data::Csr*> masks = {&a, &b};
  for (const auto geometry : {Geometry::kLorentz, Geometry::kEuclidean}) {
    RankingState state;
    auto x = random_values(users * dim, "x"), y = random_values(items * dim, "y");
    for (const std::int64_t k : {20, 20, 20, 7, 1300}) {
      for (float& value : x) value *= 1.03F;  // an epoch later
      for (std::size_t i = 0; i < y.size(); i += 5) y[i] += 0.01F;
      const auto scorer = make_embedding_scorer({geometry}, x, y, dim);
      ASSERT_NE(scorer->inner_products(), nullptr);
      const TopK expected = top_k(HiddenProducts(*scorer), first_users(users), masks, k);
      for (RankingState* with : {static_cast<RankingState*>(nullptr), &state}) {
        const TopK found = top_k(*scorer, first_users(users), masks, k, with);
        EXPECT_EQ(found.items, expected.items);
        EXPECT_EQ(found.scores, expected.scores);
      }
    }
    EXPECT_EQ(state.lists.size(), static_cast<std::size_t>(users * 1300));
  }
}

TEST(TopK, NanOfAnInnerProductNamesTheFirstUser) {
  auto x = random_values(400 * 3, "x");
  const auto y = random_values(200 * 3, "y");
  x[395 * 3] = x[130 * 3 + 2] = std::numeric_limits<float>::quiet_NaN();
  for (const auto geometry : {Geometry::kLorentz, Geometry::kEuclidean}) {
    const auto scorer = make_embedding_scorer({geometry}, x, y, 3);
    try {
      top_k(*scorer, first_users(400), {}, 2);
      FAIL();
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kNonFinite);
      EXPECT_NE(std::string(error.what()).find("user row 130 for item row 0 "), std::string::npos)
          << error.what();
    }
  }
}

TEST(TopK, NanNamesTheUserWhereverItStands) {
  for (const std::int64_t place : {0, 3, 199}) {
    auto values = random_values(3 * 200, "nan");
    values[200 + place] = std::numeric_limits<float>::quiet_NaN();
    const TableScorer scorer(3, 200, std::move(values));
    try {
      top_k(scorer, first_users(3), {}, 2);
      FAIL() << "NaN at item " << place << " went unnoticed";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kNonFinite);
      EXPECT_NE(std::string(error.what()).find("user row 1 for item row " + std::to_string(place)),
                std::string::npos)
          << error.what();
    }
  }
}

TEST(TopK, BadArgumentsAreNamed) {
  const TableScorer scorer(2, 3, {1, 2, 3, 4, 5, 6});
  const data::Csr small = random_mask(2, 2, 0.5, "small");
  const auto message = [&](std::vector<std::int32_t> users, std::vector<const data::Csr*> masks,
                           std::int64_t k) -> std::string {
    try {
      top_k(scorer, users, masks, k);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
      return error.what();
    }
    return "";
  };
  EXPECT_EQ(message({0, 1}, {}, 1), "");
  EXPECT_EQ(message({0}, {}, 0), "k must be at least 1, got 0");
  EXPECT_EQ(message({2}, {}, 1), "user row 2 is not among the model's 2 users");
  EXPECT_EQ(message({-1}, {}, 1), "user row -1 is not among the model's 2 users");
  EXPECT_NE(message({0}, {&small}, 1).find("does not fit a model of 2 users x 3 items"), std::string::npos);
}

}  // namespace
}  // namespace hyperllm::retrieval
