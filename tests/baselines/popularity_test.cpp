#include "hyperllm/baselines/popularity.h"

#include <gtest/gtest.h>

namespace hyperllm::baselines {
namespace {

TEST(Popularity, CountsTrainingUsers) {
  const data::Csr train = {3, 4, {0, 2, 3, 5}, {0, 2, 2, 1, 2}};
  EXPECT_EQ(popularity(train), (std::vector<float>{1, 1, 3, 0}));
}

}  // namespace
}  // namespace hyperllm::baselines
