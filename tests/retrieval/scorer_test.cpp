// Scores against float64 formulas written from the definitions.
#include "hyperllm/retrieval/scorer.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "hyperllm/base/error.h"
#include "hyperllm/base/random.h"

namespace hyperllm::retrieval {
namespace {

std::vector<float> random_rows(std::int64_t rows, std::int64_t dim, double radius, std::string_view stream) {
  Random random(7, stream);
  std::vector<float> values;
  for (std::int64_t r = 0; r < rows; ++r) {
    std::vector<double> row;
    double norm = 0;
    for (std::int64_t d = 0; d < dim; ++d) {
      row.push_back(random.normal());
      norm += row.back() * row.back();
    }
    for (const double value : row)
      values.push_back(static_cast<float>(radius * random.uniform(0.9, 1) * value / std::sqrt(norm)));
  }
  return values;
}

std::vector<float> scores_of(const Scorer& scorer) {
  std::vector<std::int32_t> users(static_cast<std::size_t>(scorer.num_users()));
  for (std::size_t u = 0; u < users.size(); ++u) users[u] = static_cast<std::int32_t>(u);
  std::vector<float> out(users.size() * static_cast<std::size_t>(scorer.num_items()));
  scorer.score(users, out);
  return out;
}

struct Sums {
  double xx = 0, yy = 0, xy = 0, difference = 0;
};

Sums sums_of(const float* x, const float* y, std::int64_t dim) {
  Sums sums;
  for (std::int64_t d = 0; d < dim; ++d) {
    const double a = x[d], b = y[d];
    sums.xx += a * a;
    sums.yy += b * b;
    sums.xy += a * b;
    sums.difference += (a - b) * (a - b);
  }
  return sums;
}

constexpr std::int64_t kUsers = 13, kItems = 37, kDim = 9;

TEST(EmbeddingScorer, LorentzInnerProductAtAnyCurvature) {
  for (const double curvature : {0.5, 1.0, 2.0}) {
    const auto users = random_rows(kUsers, kDim, 3, "users"), items = random_rows(kItems, kDim, 3, "items");
    const auto scorer =
        make_embedding_scorer({Geometry::kLorentz, manifold::Curvature(curvature)}, users, items, kDim);
    ASSERT_EQ(scorer->num_users(), kUsers);
    ASSERT_EQ(scorer->num_items(), kItems);
    const auto scores = scores_of(*scorer);
    for (std::int64_t u = 0; u < kUsers; ++u)
      for (std::int64_t i = 0; i < kItems; ++i) {
        const Sums s = sums_of(&users[u * kDim], &items[i * kDim], kDim);
        const double expected = s.xy - std::sqrt(1 / curvature + s.xx) * std::sqrt(1 / curvature + s.yy);
        EXPECT_NEAR(scores[u * kItems + i], expected, 4e-6);
      }
  }
}

TEST(EmbeddingScorer, EuclideanInnerProduct) {
  const auto users = random_rows(kUsers, kDim, 2, "users"), items = random_rows(kItems, kDim, 2, "items");
  const auto scores = scores_of(*make_embedding_scorer({Geometry::kEuclidean}, users, items, kDim));
  for (std::int64_t u = 0; u < kUsers; ++u)
    for (std::int64_t i = 0; i < kItems; ++i)
      EXPECT_NEAR(scores[u * kItems + i], sums_of(&users[u * kDim], &items[i * kDim], kDim).xy, 2e-6);
}

TEST(EmbeddingScorer, PoincareRatioUpToTheRim) {
  for (const double radius : {0.3, 0.99, 0.9999}) {
    const double curvature = 1;
    const auto users = random_rows(kUsers, kDim, radius, "users");
    const auto items = random_rows(kItems, kDim, radius, "items");
    const auto scores = scores_of(
        *make_embedding_scorer({Geometry::kPoincare, manifold::Curvature(curvature)}, users, items, kDim));
    for (std::int64_t u = 0; u < kUsers; ++u)
      for (std::int64_t i = 0; i < kItems; ++i) {
        const Sums s = sums_of(&users[u * kDim], &items[i * kDim], kDim);
        const double expected = -2 * s.difference / ((1 - s.xx) * (1 - s.yy));
        EXPECT_NEAR(scores[u * kItems + i] / expected, 1, 2e-6);
      }
  }
}

// Two items 1e-6 and 2e-6 from a user near the rim: in the expanded form both differences drown in float's
// rounding.
TEST(EmbeddingScorer, PoincareKeepsApartNeighboursThatExpansionConfuses) {
  const std::vector<float> users = {0.9F, 0.1F};
  std::vector<float> items;
  for (int i = 20; i >= 1; --i) {
    items.push_back(0.9F);
    items.push_back(0.1F + static_cast<float>(i) * 1e-6F);
  }
  const auto scores = scores_of(*make_embedding_scorer({Geometry::kPoincare}, users, items, 2));
  for (std::size_t i = 1; i < scores.size(); ++i) EXPECT_GT(scores[i], scores[i - 1]) << i;
}

TEST(EmbeddingScorer, PoincarePointOutsideTheBallIsNamed) {
  const std::vector<float> users = {0.1F, 0.1F}, items = {0.1F, 0.2F, 0.8F, 0.6F};
  try {
    make_embedding_scorer({Geometry::kPoincare, manifold::Curvature(1.5)}, users, items, 2);
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("item 1 lies outside the Poincare ball"), std::string::npos);
  }
}

TEST(EmbeddingScorer, BadShapesAndCurvature) {
  const std::vector<float> users(6), items(7);
  EXPECT_THROW(make_embedding_scorer({Geometry::kEuclidean}, users, items, 3), Error);
  EXPECT_THROW(make_embedding_scorer({Geometry::kEuclidean}, users, users, 0), Error);
  EXPECT_THROW(make_embedding_scorer({Geometry::kLorentz, manifold::Curvature(0)}, users, users, 3), Error);
  EXPECT_THROW(make_embedding_scorer({Geometry::kLorentz, manifold::Curvature(NAN)}, users, users, 3), Error);
}

TEST(PopularityScorer, SameScoresForEverybody) {
  const auto scorer = make_popularity_scorer({3, 1, 2}, 2);
  EXPECT_EQ(scores_of(*scorer), (std::vector<float>{3, 1, 2, 3, 1, 2}));
}

TEST(SparseItemItemScorer, ScoresAsTheDenseOne) {
  const data::Csr history = {3, 3, {0, 2, 2, 3}, {0, 2, 1}};
  const SparseWeights weights{{3, 3, {0, 2, 3, 5}, {1, 2, 0, 0, 1}}, {1, 2, 10, 100, 200}};
  EXPECT_EQ(scores_of(*make_sparse_item_item_scorer(weights, history)),
            scores_of(*make_item_item_scorer({0, 1, 2, 10, 0, 0, 100, 200, 0}, history)));
  EXPECT_THROW(make_sparse_item_item_scorer({{2, 2, {0, 0, 0}, {}}, {}}, history), Error);
  EXPECT_THROW(make_sparse_item_item_scorer({{3, 3, {0, 0, 0, 0}, {}}, {1}}, history), Error);
}

TEST(ItemItemScorer, SumsTheRowsOfTheHistory) {
  const data::Csr history = {3, 3, {0, 2, 2, 3}, {0, 2, 1}};
  const auto scorer = make_item_item_scorer({0, 1, 2, 10, 0, 20, 100, 200, 0}, history);
  EXPECT_EQ(scores_of(*scorer), (std::vector<float>{100, 201, 2, 0, 0, 0, 10, 0, 20}));
  EXPECT_THROW(make_item_item_scorer({1, 2, 3}, history), Error);
}

}  // namespace
}  // namespace hyperllm::retrieval
