#include "hyperllm/kernels/panels.h"

#include <gtest/gtest.h>

#include <array>
#include <bit>
#include <cmath>
#include <limits>

#include "hyperllm/base/random.h"
#include "hyperllm/base/scratch.h"
#include "tests/kernels/engines.h"

namespace hyperllm::kernels {
namespace {

using Floats = std::vector<float>;

// A and B that hold small integers, which any engine multiplies exactly.
TEST(Panels, MultiplyExactly) {
  Random random(1, "integers");
  for (const PanelEngine* engine : engines())
    for (std::int64_t m : {1, 4, 5, 16, 23, 48, 70})
      for (std::int64_t n : {1, 16, 21, 32, 33, 48})
        for (std::int64_t k : {1, 15, 40}) {
          if (n > engine->columns) continue;
          const std::int64_t depth = engine->pairs ? 2 * k : k;
          const auto integers = [&](std::int64_t count) {
            Floats values(static_cast<std::size_t>(count));
            for (float& value : values) value = static_cast<float>(random.below(9)) - 4;
            return values;
          };
          const Floats a = integers(m * depth), b = integers(n * depth);  // both with k contiguous
          const auto elements = [&](const Floats& values, std::int64_t rows) {
            if (!engine->pairs) return values;
            Floats out(static_cast<std::size_t>(rows * k));
            for (std::int64_t row = 0; row < rows; ++row)
              round_to_pairs(&values[row * depth], depth, &out[row * k]);
            return out;
          };
          GrowingScratch packed_a, packed_b;
          float* pa = packed_a.get(static_cast<std::size_t>(engine->packed_size(m, k)));
          float* pb = packed_b.get(static_cast<std::size_t>(engine->columns * engine->packed_depth(k)));
          engine->pack_rows(elements(a, m).data(), k, m, k, pa);
          engine->pack_panel_transposed(elements(b, n).data(), k, k, n, engine->packed_depth(k), pb);
          Floats c(static_cast<std::size_t>(m * (n + 3)), 100.0f);
          engine->multiply(pa, pb, m, n, k, c.data(), n + 3, false);
          engine->multiply(pa, pb, m, n, k, c.data(), n + 3, true);
          for (std::int64_t i = 0; i < m; ++i)
            for (std::int64_t j = 0; j < n + 3; ++j) {
              float expected = j < n ? 0.0f : 100.0f;
              for (std::int64_t p = 0; p < depth && j < n; ++p)
                expected += 2 * a[i * depth + p] * b[j * depth + p];
              ASSERT_EQ(c[i * (n + 3) + j], expected)
                  << engine->name << ' ' << m << ' ' << n << ' ' << k << ' ' << i << ' ' << j;
            }
        }
}

TEST(Bfloat16, RoundsToNearestEven) {
  const auto halves = [](float value) {
    std::array<float, 33> values;
    values.fill(value);
    std::array<float, 17> pairs;
    round_to_pairs(values.data(), 33, pairs.data());  // vectors and the rest
    const auto bits = std::bit_cast<std::uint32_t>(pairs[0]), last = std::bit_cast<std::uint32_t>(pairs[16]);
    EXPECT_EQ(bits & 0xFFFF, bits >> 16);
    EXPECT_EQ(bits & 0xFFFF, last);  // completed with zero
    return std::bit_cast<float>(bits << 16);
  };
  EXPECT_EQ(halves(1.0f), 1.0f);
  EXPECT_EQ(halves(-3.140625f), -3.140625f);
  EXPECT_EQ(halves(1 + 0.00390625f), 1.0f);                // a tie, 1 is even
  EXPECT_EQ(halves(1 + 3 * 0.00390625f), 1.015625f);       // a tie, the upper is even
  EXPECT_EQ(halves(1 + 0.00390625f + 1e-6f), 1.0078125f);  // above a tie
  EXPECT_EQ(halves(std::numeric_limits<float>::max()), std::numeric_limits<float>::infinity());
  EXPECT_EQ(halves(-std::numeric_limits<float>::infinity()), -std::numeric_limits<float>::infinity());
  EXPECT_TRUE(std::isnan(halves(std::bit_cast<float>(0x7F800001u))));
  EXPECT_TRUE(std::isnan(halves(std::bit_cast<float>(0x7FFFFFFFu))));
}

}  // namespace
}  // namespace hyperllm::kernels
