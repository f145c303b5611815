#include "hyperllm/base/scratch.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <utility>

namespace hyperllm {
namespace {

TEST(Scratch, BlocksComeBack) {
  release_scratch();
  const std::int64_t before = scratch_blocks_made();
  float* first = nullptr;
  for (int i = 0; i < 5; ++i) {
    const Scratch block(100000 + static_cast<std::size_t>(i));
    if (!first) first = block.data();
    EXPECT_EQ(block.data(), first) << "a slightly other size takes the same block";
  }
  EXPECT_EQ(scratch_blocks_made(), before + 1);
  release_scratch();
  const Scratch again(100000);
  EXPECT_EQ(scratch_blocks_made(), before + 2) << "released blocks are gone";
}

TEST(Scratch, TwoAtATimeAreTwo) {
  const Scratch a(1 << 20), b(1 << 20);
  EXPECT_NE(a.data(), b.data());
  a.data()[(1 << 20) - 1] = 1;
  b.data()[(1 << 20) - 1] = 2;
  EXPECT_EQ(a.data()[(1 << 20) - 1], 1);
}

TEST(Scratch, AlignedAndMovable) {
  for (std::size_t count : {0, 1, 17, 5000, 600000}) {
    Scratch block(count);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(block.data()) % 64, 0u);
    float* data = block.data();
    const Scratch moved(std::move(block));
    EXPECT_EQ(moved.data(), data);
  }
}

}  // namespace
}  // namespace hyperllm
