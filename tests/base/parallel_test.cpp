#include "hyperllm/base/parallel.h"

#include <gtest/gtest.h>

#include <stdexcept>
#include <vector>

namespace hyperllm {
namespace {

TEST(Parallel, EveryBlockOnce) {
  for (int threads : {1, 2, 4}) {
    set_num_threads(threads);
    std::vector<int> visits(1001);
    parallel_ranges(1001, 10, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) ++visits[i];
    });
    EXPECT_EQ(visits, std::vector<int>(1001, 1)) << threads << " threads";
  }
  set_num_threads(0);
}

TEST(Parallel, ExceptionsReachTheCaller) {
  for (int threads : {1, 2}) {
    set_num_threads(threads);
    EXPECT_THROW(parallel_blocks(100,
                                 [](std::int64_t block) {
                                   if (block == 42) throw std::runtime_error("x");
                                 }),
                 std::runtime_error);
  }
  set_num_threads(0);
}

}  // namespace
}  // namespace hyperllm
