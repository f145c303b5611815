#include "hyperllm/kernels/ceilings.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <string>

#include "hyperllm/base/parallel.h"
#include "hyperllm/kernels/bfloat16_x86.h"

namespace hyperllm::kernels {
namespace {

// Sum of the elements 0 to n - 1, each taken through `steps` of a <- a * factor + summand.
double expected_sum(std::int64_t n, int steps, double factor, double summand) {
  double sum = 0;
  for (std::int64_t i = 0; i < n; ++i) {
    double a = static_cast<double>(i);
    for (int step = 0; step < steps; ++step) a = a * factor + summand;
    sum += a;
  }
  return sum;
}

TEST(Ceilings, TheFmaLoopDoesWhatItCounts) {
  for (int steps : {0, 1, 7}) {
    std::int64_t operations = 0;
    fma_loop(1, 0.5f, 1, &operations);
    const std::int64_t elements = operations / 2;
    EXPECT_NEAR(fma_loop(steps, 0.5f, 3, &operations), expected_sum(elements, steps, 0.5, 3), 1e-3);
    EXPECT_EQ(operations, 2 * elements * steps);
  }
}

// 2.01 is not a bfloat16: the nearest is 2.015625. An accumulator gets two products a step.
TEST(Ceilings, TheBf16LoopDoesWhatItCounts) {
  if (!x86_has_avx512_bf16()) GTEST_SKIP() << "this CPU has no AVX512-BF16";
  for (int steps : {0, 1, 7}) {
    std::int64_t operations = 0;
    x86_loop_avx512_bf16(1, 0.5f, 1, &operations);
    const std::int64_t elements = operations / 4;
    EXPECT_NEAR(x86_loop_avx512_bf16(steps, 0.5f, 2.01f, &operations),
                expected_sum(elements, steps, 1, 2.015625), 1e-3);
    EXPECT_EQ(operations, 4 * elements * steps);
  }
}

// Four accumulators of 16 x 16, each getting 32 products a step.
TEST(Ceilings, TheAmxLoopDoesWhatItCounts) {
  if (!x86_has_amx_bf16()) GTEST_SKIP() << "this CPU has no AMX";
  for (int steps : {0, 1, 7}) {
    std::int64_t operations = 0;
    EXPECT_NEAR(x86_loop_amx(steps, 0.5f, 2.01f, &operations), 4 * expected_sum(256, steps, 1, 16 * 2.015625),
                1e-1);
    EXPECT_EQ(operations, 4 * 256 * 64 * steps);
  }
}

TEST(Ceilings, AreThere) {
  const auto start = std::chrono::steady_clock::now();
  const Ceilings ceilings = measure_ceilings();
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  EXPECT_LT(seconds, 10) << "2 on an idle machine";
  EXPECT_FALSE(ceilings.simd.empty());
  EXPECT_EQ(ceilings.threads, num_threads());
  for (double rate : {ceilings.fma_gflops, ceilings.sgemm_gflops, ceilings.l1_gbytes, ceilings.l2_gbytes,
                      ceilings.l3_gbytes, ceilings.dram_gbytes, ceilings.gather_gbytes}) {
    EXPECT_TRUE(std::isfinite(rate));
    EXPECT_GT(rate, 0.1);
    EXPECT_LT(rate, 1e6);
  }
  EXPECT_EQ(ceilings.bf16_gflops > 0, x86_has_avx512_bf16());
  EXPECT_EQ(ceilings.amx_gflops > 0, x86_has_amx_bf16());
}

// Other work on the machine can slow one try down, hardly all of them.
TEST(Ceilings, ASecondThreadDoesNotHurt) {
  double best = 0;
  for (int tries = 0; tries < 10 && best <= 0.5; ++tries) {
    set_num_threads(1);
    const double one = measure_fma_gflops();
    set_num_threads(2);
    best = std::max(best, measure_fma_gflops() / one);
  }
  set_num_threads(0);
  EXPECT_GT(best, 0.5);
}

}  // namespace
}  // namespace hyperllm::kernels
