#include "hyperllm/kernels/ceilings.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <functional>
#include <vector>

#include "hyperllm/base/parallel.h"
#include "hyperllm/base/random.h"
#include "hyperllm/kernels/bfloat16_x86.h"
#include "hyperllm/kernels/blas.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "hyperllm/kernels/ceilings.cpp"
// clang-format off: foreach_target.h must come first
#include <hwy/aligned_allocator.h>
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
// clang-format on

HWY_BEFORE_NAMESPACE();
namespace hyperllm::kernels::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

const char* target_name() { return hwy::TargetName(HWY_TARGET); }

HWY_ATTR double fma_loop(std::int64_t steps, float factor, float summand, std::int64_t* operations) {
  const hn::ScalableTag<float> d;
  const std::size_t lanes = hn::Lanes(d);
  // Enough to hide two multiply-adds a cycle of latency 4, few enough for 16 registers.
  constexpr int kAccumulators = HWY_ARCH_X86 && HWY_TARGET > HWY_AVX3 ? 12 : 24;
  const auto f = hn::Set(d, factor), s = hn::Set(d, summand);
  decltype(hn::Zero(d)) sums[kAccumulators];
  for (int i = 0; i < kAccumulators; ++i) sums[i] = hn::Iota(d, static_cast<float>(i * lanes));
  for (std::int64_t step = 0; step < steps; ++step) {
#pragma GCC unroll 24
    for (int i = 0; i < kAccumulators; ++i) sums[i] = hn::MulAdd(sums[i], f, s);
  }
  double sum = 0;
  for (int i = 0; i < kAccumulators; ++i) sum += static_cast<double>(hn::GetLane(hn::SumOfLanes(d, sums[i])));
  *operations = steps * kAccumulators * static_cast<std::int64_t>(lanes) * 2;
  return sum;
}

// Adds up `count` floats, a multiple of 8 vectors, `passes` times.
HWY_ATTR float read_all(const float* HWY_RESTRICT values, std::int64_t count, std::int64_t passes) {
  const hn::ScalableTag<float> d;
  const std::int64_t lanes = static_cast<std::int64_t>(hn::Lanes(d));
  decltype(hn::Zero(d)) sums[8];
  for (auto& sum : sums) sum = hn::Zero(d);
  for (std::int64_t pass = 0; pass < passes; ++pass)
    for (std::int64_t i = 0; i < count; i += 8 * lanes) {
#pragma GCC unroll 8
      for (int v = 0; v < 8; ++v) sums[v] = hn::Add(sums[v], hn::LoadU(d, values + i + v * lanes));
    }
  auto sum = sums[0];
  for (int v = 1; v < 8; ++v) sum = hn::Add(sum, sums[v]);
  return hn::GetLane(hn::SumOfLanes(d, sum));
}

// Adds up the rows of 64 floats that `rows` names.
HWY_ATTR float gather_rows(const float* HWY_RESTRICT table, const std::int32_t* rows, std::int64_t count) {
  const hn::ScalableTag<float> d;
  const std::int64_t lanes = static_cast<std::int64_t>(hn::Lanes(d));
  auto even = hn::Zero(d), odd = hn::Zero(d);
  for (std::int64_t i = 0; i < count; ++i) {
    const float* row = table + std::int64_t{rows[i]} * 64;
    for (std::int64_t k = 0; k < 64; k += 2 * lanes) {
      even = hn::Add(even, hn::LoadU(d, row + k));
      odd = hn::Add(odd, hn::LoadU(d, row + k + lanes));
    }
  }
  return hn::GetLane(hn::SumOfLanes(d, hn::Add(even, odd)));
}

}  // namespace hyperllm::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace hyperllm::kernels {

HWY_EXPORT(target_name);
HWY_EXPORT(fma_loop);
HWY_EXPORT(read_all);
HWY_EXPORT(gather_rows);

namespace {

constexpr int kRepetitions = 5;

// What the loops return goes here, so that none is left out as unused.
std::atomic<double> sink{0};

// 1e9 units a second of `work`, which is given the number of its thread and returns the units it did.
double median_rate(const std::function<double(int)>& work) {
  const int threads = num_threads();
  std::vector<double> rates;
  for (int repetition = 0; repetition <= kRepetitions; ++repetition) {
    std::vector<double> units(static_cast<std::size_t>(threads));
    const auto start = std::chrono::steady_clock::now();
    parallel_blocks(threads, [&](std::int64_t thread) { units[thread] = work(static_cast<int>(thread)); });
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    double sum = 0;
    for (double unit : units) sum += unit;
    if (repetition > 0) rates.push_back(sum / seconds * 1e-9);  // the first one warms up
  }
  std::nth_element(rates.begin(), rates.begin() + kRepetitions / 2, rates.end());
  return rates[kRepetitions / 2];
}

std::int64_t cache_bytes(int name, std::int64_t otherwise) {
  const std::int64_t bytes = sysconf(name);
  return bytes > 0 ? bytes : otherwise;
}

using AlignedFloats = hwy::AlignedFreeUniquePtr<float[]>;

AlignedFloats ones(std::int64_t count) {
  AlignedFloats values = hwy::AllocateAligned<float>(static_cast<std::size_t>(count));
  std::fill(values.get(), values.get() + count, 1.0f);
  return values;
}

// Each thread reads `bytes` of its own, about `total` in all.
double read_rate(std::int64_t bytes, std::int64_t total) {
  const std::int64_t count = bytes / 4 / 512 * 512;  // 8 vectors of any width
  const std::int64_t passes = std::max<std::int64_t>(1, total / bytes);
  std::vector<AlignedFloats> buffers(static_cast<std::size_t>(num_threads()));
  parallel_blocks(num_threads(), [&](std::int64_t thread) { buffers[thread] = ones(count); });
  return median_rate([&](int thread) {
    sink = static_cast<double>(HWY_DYNAMIC_DISPATCH(read_all)(buffers[thread].get(), count, passes));
    return static_cast<double>(count * passes * 4);
  });
}

double gather_rate() {
  constexpr std::int32_t kRows = 6 << 12;  // of 256 bytes: 6 MB
  const AlignedFloats table = ones(std::int64_t{kRows} * 64);
  std::vector<std::int32_t> rows(8 * std::size_t{kRows});
  Random random(1, "gather");
  for (std::int32_t& row : rows) row = static_cast<std::int32_t>(random.below(kRows));
  return median_rate([&](int) {
    sink = static_cast<double>(
        HWY_DYNAMIC_DISPATCH(gather_rows)(table.get(), rows.data(), static_cast<std::int64_t>(rows.size())));
    return static_cast<double>(rows.size() * 256);
  });
}

double sgemm_rate() {
  constexpr std::int64_t kSize = 768;
  const std::vector<float> a(kSize * kSize, 0.5f), b(kSize * kSize, 0.25f);
  std::vector<std::vector<float>> c(static_cast<std::size_t>(num_threads()),
                                    std::vector<float>(kSize * kSize));
  return median_rate([&](int thread) {
    gemm(Transpose::kNo, Transpose::kNo, kSize, kSize, kSize, 1, a.data(), kSize, b.data(), kSize, 0,
         c[thread].data(), kSize);
    return 2.0 * kSize * kSize * kSize;
  });
}

double loop_rate(double (*loop)(std::int64_t, float, float, std::int64_t*), std::int64_t steps) {
  return median_rate([&](int) {
    std::int64_t operations = 0;
    sink = loop(steps, 0.5f, 1, &operations);
    return static_cast<double>(operations);
  });
}

}  // namespace

double fma_loop(std::int64_t steps, float factor, float summand, std::int64_t* operations) {
  return HWY_DYNAMIC_DISPATCH(fma_loop)(steps, factor, summand, operations);
}

double measure_fma_gflops() { return loop_rate(fma_loop, 1 << 20); }

double measure_bf16_gflops() { return x86_has_avx512_bf16() ? loop_rate(x86_loop_avx512_bf16, 1 << 19) : 0; }

double measure_amx_gflops() { return x86_has_amx_bf16() ? loop_rate(x86_loop_amx, 1 << 18) : 0; }

Ceilings measure_ceilings() {
  const std::int64_t l1 = cache_bytes(_SC_LEVEL1_DCACHE_SIZE, 32 << 10),
                     l2 = cache_bytes(_SC_LEVEL2_CACHE_SIZE, 1 << 20);
  Ceilings ceilings;
  ceilings.simd = HWY_DYNAMIC_DISPATCH(target_name)();
  ceilings.threads = num_threads();
  ceilings.fma_gflops = measure_fma_gflops();
  ceilings.bf16_gflops = measure_bf16_gflops();
  ceilings.amx_gflops = measure_amx_gflops();
  ceilings.sgemm_gflops = sgemm_rate();
  ceilings.l1_gbytes = read_rate(l1 / 2, 1 << 30);
  ceilings.l2_gbytes = read_rate(l2 / 2, 1 << 29);
  ceilings.l3_gbytes = read_rate(4 * l2, 1 << 28);
  ceilings.dram_gbytes = read_rate((256 << 20) / num_threads(), 0);
  ceilings.gather_gbytes = gather_rate();
  return ceilings;
}

}  // namespace hyperllm::kernels
#endif  // HWY_ONCE
