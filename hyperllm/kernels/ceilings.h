// What this machine can do at most: the ceilings that benchmarks state their results as shares of.
#pragma once

#include <cstdint>
#include <string>

namespace hyperllm::kernels {

// Rates of all threads together, each the median of a few repetitions. GFLOP/s: 1e9 floating-point operations
// a second, a multiply-add counting as two. GB/s: 1e9 bytes a second.
struct Ceilings {
  std::string simd;  // Highway's name of the instruction set in use, such as "AVX3"
  int threads = 1;
  double fma_gflops = 0;  // float32 multiply-adds in registers
  // bfloat16 dot products in registers, 0 where the CPU has none: AVX512-BF16 and AMX.
  double bf16_gflops = 0, amx_gflops = 0;
  double sgemm_gflops = 0;  // OpenBLAS, 768 x 768 x 768, one product a thread
  // Sequential reads, each thread of its own buffer: half its L1, half its L2, four times its L2, and all
  // threads together of 256 MB. The last is memory's rate unless the last cache is larger than that.
  double l1_gbytes = 0, l2_gbytes = 0, l3_gbytes = 0, dram_gbytes = 0;
  // Rows of 256 bytes at random places of one table of 6 MB that all threads read.
  double gather_gbytes = 0;
};

// Measures all of them on num_threads() threads in less than 2 seconds. Allocates up to about 300 MB.
Ceilings measure_ceilings();

// Single ceilings, in about 60 ms each: for a benchmark that needs no more.
double measure_fma_gflops();
double measure_bf16_gflops();
double measure_amx_gflops();

// The loops being timed, for tests. Each keeps independent accumulators, takes every element through `steps`
// of a <- a * factor + summand, and returns their sum; element i of n starts at i. `operations`:
// floating-point operations done.
double fma_loop(std::int64_t steps, float factor, float summand, std::int64_t* operations);

}  // namespace hyperllm::kernels
