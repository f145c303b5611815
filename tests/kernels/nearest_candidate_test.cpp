#include "hyperllm/kernels/nearest_candidate.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "hyperllm/base/parallel.h"
#include "hyperllm/base/random.h"
#include "tests/support/points.h"

namespace hyperllm::kernels {
namespace {

struct Drawn {
  std::vector<std::int32_t> positive, candidates;
};

Drawn drawn(std::int64_t pairs, std::int64_t per_pair, std::int64_t rows) {
  Drawn out;
  Random random(2, "drawn");
  for (std::int64_t i = 0; i < pairs; ++i)
    out.positive.push_back(static_cast<std::int32_t>(random.below(rows)));
  for (std::int64_t i = 0; i < pairs * per_pair; ++i)
    out.candidates.push_back(static_cast<std::int32_t>(random.below(rows)));
  return out;
}

double ambient_distance(const float* x, const float* y, std::int64_t dim, double c) {
  double xx = 0, yy = 0, apart = 0;
  for (std::int64_t k = 0; k < dim; ++k) {
    xx += double{x[k]} * x[k];
    yy += double{y[k]} * y[k];
    apart += (double{x[k]} - y[k]) * (double{x[k]} - y[k]);
  }
  return apart + std::pow(std::sqrt(1 / c + xx) - std::sqrt(1 / c + yy), 2);
}

TEST(NearestCandidate, AttainsTheMinimum) {
  const std::int64_t rows = 70, pairs = 600;
  for (const std::int64_t dim : {1, 7, 8, 9, 49})
    for (const std::int64_t per_pair : {1, 2, 3, 8})
      for (const double c : {1.0, 0.4}) {
        const std::vector<float> h = test::random_points(rows, dim, c, 2.5, 3);
        const Drawn ids = drawn(pairs, per_pair, rows);
        std::vector<std::int32_t> nearest(pairs), by_doubles(pairs);
        nearest_candidates(std::span<const float>(h), dim, c, ids.positive, ids.candidates, per_pair,
                           std::span(nearest));
        const std::vector<double> exact(h.begin(), h.end());
        nearest_candidates(std::span<const double>(exact), dim, c, ids.positive, ids.candidates, per_pair,
                           std::span(by_doubles));
        EXPECT_EQ(nearest, by_doubles);
        for (std::int64_t i = 0; i < pairs; ++i) {
          const auto at = [&](std::int32_t id) {
            return ambient_distance(h.data() + ids.positive[i] * dim, h.data() + id * dim, dim, c);
          };
          const auto own = std::span(ids.candidates).subspan(i * per_pair, per_pair);
          EXPECT_NE(std::find(own.begin(), own.end(), nearest[i]), own.end());
          for (const std::int32_t id : own) EXPECT_LE(at(nearest[i]), at(id) * (1 + 1e-12));
        }
      }
}

// In space coordinates the first candidate is nearer, with the time coordinate the second.
TEST(NearestCandidate, TimeCounts) {
  const std::vector<float> h = {3, 0, 4.2F, 0, 2.1F, 1};
  const std::vector<std::int32_t> positive = {0}, candidates = {1, 2};
  ASSERT_LT(1.2, std::hypot(0.9, 1.0));
  std::vector<std::int32_t> nearest(1);
  nearest_candidates(std::span<const float>(h), 2, 1, positive, candidates, 2, std::span(nearest));
  EXPECT_EQ(nearest[0], 2);
}

TEST(NearestCandidate, OfEqualsTakesTheFirst) {
  const std::vector<float> h = {0, 0, 1, 0, 0, 1, -1, 0};  // three at one distance from the first
  const std::vector<std::int32_t> positive = {0, 0, 0}, candidates = {1, 2, 3, 3, 2, 1, 2, 2, 3};
  std::vector<std::int32_t> nearest(3);
  nearest_candidates(std::span<const float>(h), 2, 1, positive, candidates, 3, std::span(nearest));
  EXPECT_EQ(nearest, (std::vector<std::int32_t>{1, 3, 2}));
}

TEST(NearestCandidate, NanIsNeverNearer) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const std::vector<float> h = {0, nan, 5};
  const std::vector<std::int32_t> positive = {0}, candidates = {2, 1};
  std::vector<std::int32_t> nearest(1);
  nearest_candidates(std::span<const float>(h), 1, 1, positive, candidates, 2, std::span(nearest));
  EXPECT_EQ(nearest[0], 2);
}

TEST(NearestCandidate, IsTheSameForAnyNumberOfThreads) {
  const std::int64_t rows = 300, pairs = 3000, dim = 9;
  const std::vector<float> h = test::random_points(rows, dim, 1, 2, 3);
  const Drawn ids = drawn(pairs, 4, rows);
  std::vector<std::int32_t> first;
  for (const int threads : {1, 2, 4}) {
    set_num_threads(threads);
    std::vector<std::int32_t> nearest(pairs);
    nearest_candidates(std::span<const float>(h), dim, 1, ids.positive, ids.candidates, 4,
                       std::span(nearest));
    if (threads == 1) first = nearest;
    EXPECT_EQ(nearest, first) << threads;
  }
  set_num_threads(0);
}

}  // namespace
}  // namespace hyperllm::kernels
