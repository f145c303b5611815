#include "hyperllm/search/space.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "tests/support/folder.h"

namespace hyperllm::search {
namespace {

using hyperllm::test::expect_error;

Dimension list(const std::string& option, std::vector<std::string> values) {
  return {option, "r.toml:7", std::move(values)};
}

Dimension range(const std::string& option, double low, double high, bool log = false, bool whole = false) {
  return {option, "r.toml:7", {}, low, high, log, whole};
}

std::vector<double> numbers(const std::vector<Settings>& points, std::size_t dimension = 0) {
  std::vector<double> values;
  for (const Settings& point : points) values.push_back(std::stod(point[dimension].second));
  return values;
}

TEST(HaltonTest, UnscrambledItIsTheSequenceOfTheTextbook) {
  const Halton sequence(3);
  const double expected[][3] = {{0, 0, 0},
                                {1. / 2, 1. / 3, 1. / 5},
                                {1. / 4, 2. / 3, 2. / 5},
                                {3. / 4, 1. / 9, 3. / 5},
                                {1. / 8, 4. / 9, 4. / 5},
                                {5. / 8, 7. / 9, 1. / 25},
                                {3. / 8, 2. / 9, 6. / 25}};
  for (std::int64_t i = 0; i < 7; ++i)
    for (std::size_t d = 0; d < 3; ++d)
      EXPECT_NEAR(sequence.at(i, d), expected[i][d], 1e-15) << i << " " << d;
}

TEST(HaltonTest, ScrambledEachPartOfTheLineHasItsPoint) {
  const Halton sequence(6, 42);
  const std::int64_t bases[] = {2, 3, 5, 7, 11, 13};
  for (std::size_t d = 0; d < 6; ++d)
    for (const std::int64_t parts : {bases[d], bases[d] * bases[d], bases[d] * bases[d] * bases[d]})
      for (const std::int64_t first : {std::int64_t{0}, 3 * parts}) {
        std::set<std::int64_t> met;
        for (std::int64_t i = first; i < first + parts; ++i) {
          const double place = sequence.at(i, d);
          ASSERT_GE(place, 0);
          ASSERT_LT(place, 1);
          met.insert(static_cast<std::int64_t>(place * static_cast<double>(parts)));
        }
        EXPECT_EQ(std::ssize(met), parts) << "base " << bases[d] << " from " << first;
      }
}

TEST(HaltonTest, TheSeedDecidesAndLargeBasesDoNotGoInStep) {
  const Halton one(12, 1), same(12, 1), other(12, 2), plain(12);
  EXPECT_EQ(one.at(17, 4), same.at(17, 4));
  EXPECT_NE(one.at(17, 4), other.at(17, 4));
  // Unscrambled, bases 31 and 37 rise together over the first points.
  const auto correlation = [](const Halton& sequence) {
    double a = 0, b = 0, ab = 0, aa = 0, bb = 0;
    constexpr int kPoints = 30;
    for (int i = 0; i < kPoints; ++i) {
      const double x = sequence.at(i, 10), y = sequence.at(i, 11);
      a += x / kPoints;
      b += y / kPoints;
      ab += x * y / kPoints;
      aa += x * x / kPoints;
      bb += y * y / kPoints;
    }
    return (ab - a * b) / std::sqrt((aa - a * a) * (bb - b * b));
  };
  EXPECT_GT(correlation(plain), 0.9);
  EXPECT_LT(std::abs(correlation(one)), 0.5);
}

TEST(SpaceTest, AGridHasEveryPointOnceTheLastDimensionFastest) {
  const Space space({list("margin", {"0.1", "0.2"}), list("layers", {"2", "3", "4"})});
  const auto grid = space.grid();
  ASSERT_EQ(grid.size(), 6u);
  EXPECT_EQ(space.size(), 6);
  EXPECT_EQ(grid[0], (Settings{{"margin", "0.1"}, {"layers", "2"}}));
  EXPECT_EQ(grid[1], (Settings{{"margin", "0.1"}, {"layers", "3"}}));
  EXPECT_EQ(grid[3], (Settings{{"margin", "0.2"}, {"layers", "2"}}));
  EXPECT_EQ(Space({}).grid(), std::vector<Settings>{Settings{}}) << "no dimension: the run as it is";
  EXPECT_EQ(Space({}).draw(64, 1), std::vector<Settings>{Settings{}});
}

TEST(SpaceTest, DrawnPointsDifferAndMoreBeginWithFewer) {
  const Space space(
      {range("lr", 1e-4, 1e-1, true), range("layers", 1, 8, false, true), list("m", {"a", "b"})});
  const auto points = space.draw(50, 3), more = space.draw(80, 3);
  ASSERT_EQ(points.size(), 50u);
  EXPECT_EQ(std::set<Settings>(points.begin(), points.end()).size(), 50u);
  EXPECT_TRUE(std::equal(points.begin(), points.end(), more.begin()));
  EXPECT_NE(points, space.draw(50, 4));
  int below = 0, a = 0;
  for (const double lr : numbers(points)) {
    EXPECT_GE(lr, 1e-4);
    EXPECT_LE(lr, 1e-1);
    below += lr < std::sqrt(1e-5);
  }
  EXPECT_NEAR(below, 25, 2) << "half of them below the geometric mean";
  for (const Settings& point : points) a += point[2].second == "a";
  EXPECT_NEAR(a, 25, 4);
}

TEST(SpaceTest, WholeNumbersReachBothEndsAndASmallSpaceIsTriedWhole) {
  const auto sorted = [](std::vector<double> values) {
    std::sort(values.begin(), values.end());
    return values;
  };
  EXPECT_EQ(sorted(numbers(Space({range("layers", 2, 5, false, true)}).draw(64, 1))),
            (std::vector<double>{2, 3, 4, 5}));
  EXPECT_EQ(sorted(numbers(Space({range("layers", 1, 4, true, true)}).draw(64, 1))),
            (std::vector<double>{1, 2, 3, 4}));
  const Space lists({list("a", {"1", "2", "3", "4", "5"}), list("b", {"1", "2", "3", "4", "5", "6"})});
  const auto all = lists.draw(1000, 1);
  EXPECT_EQ(std::set<Settings>(all.begin(), all.end()).size(), 30u);
}

TEST(SpaceTest, FractionsHaveFourDigitsAndStayInside) {
  const auto points = Space({range("x", 0.123456, 0.2)}).draw(200, 1);
  for (const Settings& point : points) {
    EXPECT_LE(point[0].second.size(), 8u) << point[0].second;
    EXPECT_GE(std::stod(point[0].second), 0.123456);
    EXPECT_LE(std::stod(point[0].second), 0.2);
  }
}

TEST(SpaceTest, BadSpacesNameTheirPlace) {
  const auto refused = [](const std::string& words, Dimension dimension) {
    expect_error(ErrorCode::kInvalidArgument, {"r.toml:7: 'x': ", words}, [&] { Space({dimension}); });
  };
  refused("low 3, high 1: low must be below high", range("x", 3, 1));
  refused("low must be below high", range("x", 1, 1));
  refused("with log, low must be above 0", range("x", 0, 1, true));
  refused("both must be whole", range("x", 0.5, 3, false, true));
  refused("a value stands twice", list("x", {"1", "2", "1"}));
  expect_error(ErrorCode::kInvalidArgument, {"r.toml:7: 'x'", "a grid needs a list"},
               [] { Space({range("x", 0, 1)}).grid(); });
  std::vector<std::string> many;
  for (int i = 0; i < 400; ++i) many.push_back(std::to_string(i));
  expect_error(ErrorCode::kInvalidArgument, {"more than 100000 points"}, [&] {
    Space({list("x", many), list("y", many)}).grid();
  });
}

}  // namespace
}  // namespace hyperllm::search
