#include "hyperllm/base/scratch.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>

namespace hyperllm {
namespace {

TEST(Scratch, BlocksComeBack) {
  release_kept_blocks();
  const std::int64_t before = blocks_made();
  float* first = nullptr;
  for (int i = 0; i < 5; ++i) {
    const Scratch block(100000 + static_cast<std::size_t>(i));
    if (!first) first = block.data();
    EXPECT_EQ(block.data(), first) << "a slightly other size takes the same block";
  }
  EXPECT_EQ(blocks_made(), before + 1);
  release_kept_blocks();
  const Scratch again(100000);
  EXPECT_EQ(blocks_made(), before + 2) << "released blocks are gone";
}

TEST(Scratch, TwoAtATimeAreTwo) {
  const Scratch a(1 << 20), b(1 << 20);
  EXPECT_NE(a.data(), b.data());
  a.data()[(1 << 20) - 1] = 1;
  b.data()[(1 << 20) - 1] = 2;
  EXPECT_EQ(a.data()[(1 << 20) - 1], 1);
}

TEST(Scratch, AlignedForVectors) {
  for (std::size_t count : {0, 1, 17, 5000, 600000}) {
    const Scratch block(count);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(block.data()) % 64, 0u);
    EXPECT_GE(block.bytes(), count * sizeof(float));
  }
}

TEST(Scratch, LargeBlocksShareTheirHugePages) {
#ifdef __SANITIZE_ADDRESS__
  GTEST_SKIP() << "blocks of their own";
#endif
  release_kept_blocks();
  const std::size_t count = 800'000;  // 3.2 MB
  const std::int64_t held = block_bytes_held();
  {
    const Scratch a(count), b(count);
    EXPECT_EQ(b.data(), a.data() + a.bytes() / sizeof(float));
    const Scratch vast(20 * count);
    std::fill(vast.data(), vast.data() + 20 * count, 1.0f);
    EXPECT_EQ(block_bytes_held(), held + static_cast<std::int64_t>(2 * a.bytes() + vast.bytes()));
    release_kept_blocks();  // none of these
    b.data()[count - 1] = 2;
    EXPECT_EQ(vast.data()[20 * count - 1], 1);
  }
  release_kept_blocks();
  EXPECT_EQ(block_bytes_held(), held);
}

TEST(Scratch, GrowsOnlyWhereItMust) {
  GrowingScratch buffer;
  float* large = buffer.get(50000);
  EXPECT_EQ(buffer.get(100), large);
  EXPECT_GE(buffer.bytes(), 200000u);
  buffer.get(500000)[499999] = 1;
}

}  // namespace
}  // namespace hyperllm
