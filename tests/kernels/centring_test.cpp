#include "hyperllm/kernels/centring.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "hyperllm/base/parallel.h"
#include "tests/support/points.h"

namespace hyperllm::kernels {
namespace {

TEST(Centring, TakesTheMeanOfEveryColumn) {
  for (const std::int64_t rows : {1, 2, 1023, 1024, 1025, 5000})
    for (const std::int64_t dim : {1, 8, 49}) {
      std::vector<float> values = test::normal_floats(rows * dim, 1);
      for (float& value : values) value += 3;
      std::vector<float> out(values.size());
      subtract_column_means(values, dim, out);
      for (std::int64_t k = 0; k < dim; ++k) {
        double mean = 0, left = 0;
        for (std::int64_t row = 0; row < rows; ++row) mean += values[row * dim + k];
        mean /= static_cast<double>(rows);
        for (std::int64_t row = 0; row < rows; ++row) {
          EXPECT_NEAR(out[row * dim + k], values[row * dim + k] - mean, 1e-6);
          left += out[row * dim + k];
        }
        EXPECT_LT(std::abs(left / static_cast<double>(rows)), 1e-6);
      }
      std::vector<float> in_place = values;
      subtract_column_means(in_place, dim, in_place);
      EXPECT_EQ(in_place, out);
    }
}

TEST(Centring, OfNothingIsNothing) { subtract_column_means({}, 3, {}); }

TEST(Centring, NanSpoilsItsColumnOnly) {
  std::vector<float> values = {1, 2, std::numeric_limits<float>::quiet_NaN(), 4, 5, 6};
  subtract_column_means(values, 2, values);
  for (const std::size_t i : {0, 2, 4}) EXPECT_TRUE(std::isnan(values[i]));
  EXPECT_EQ(values[1], -2);
  EXPECT_EQ(values[5], 2);
}

TEST(Centring, IsTheSameForAnyNumberOfThreads) {
  const std::vector<float> values = test::normal_floats(9000 * 7, 1);
  std::vector<float> first;
  for (const int threads : {1, 2, 4}) {
    set_num_threads(threads);
    std::vector<float> out(values.size());
    subtract_column_means(values, 7, out);
    if (threads == 1) first = out;
    EXPECT_EQ(out, first) << threads;
  }
  set_num_threads(0);
}

}  // namespace
}  // namespace hyperllm::kernels
