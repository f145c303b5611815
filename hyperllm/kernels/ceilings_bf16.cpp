// Highway 1.0.3 has no bfloat16 dot product that maps to vdpbf16ps, hence intrinsics.
#include "hyperllm/base/error.h"
#include "hyperllm/kernels/ceilings.h"

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>

namespace hyperllm::kernels {

bool has_avx512_bf16() {
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bf16");
}

__attribute__((target("avx512f,avx512bw,avx512vl,avx512bf16"))) double bf16_loop(std::int64_t steps,
                                                                                 float factor, float summand,
                                                                                 std::int64_t* operations) {
  constexpr int kAccumulators = 24, kLanes = 16;
  const __m512 f = _mm512_set1_ps(factor), s = _mm512_set1_ps(summand);
  const __m512bh a = _mm512_cvtne2ps_pbh(f, f), b = _mm512_cvtne2ps_pbh(s, s);
  __m512 sums[kAccumulators];
  for (int i = 0; i < kAccumulators; ++i) {
    float start[kLanes];
    for (int lane = 0; lane < kLanes; ++lane) start[lane] = static_cast<float>(i * kLanes + lane);
    sums[i] = _mm512_loadu_ps(start);
  }
  for (std::int64_t step = 0; step < steps; ++step) {
#pragma GCC unroll 24
    for (int i = 0; i < kAccumulators; ++i) sums[i] = _mm512_dpbf16_ps(sums[i], a, b);
  }
  double sum = 0;
  for (int i = 0; i < kAccumulators; ++i) {
    float lanes[kLanes];
    _mm512_storeu_ps(lanes, sums[i]);
    for (float lane : lanes) sum += static_cast<double>(lane);
  }
  *operations = steps * kAccumulators * kLanes * 4;
  return sum;
}

}  // namespace hyperllm::kernels

#else

namespace hyperllm::kernels {

bool has_avx512_bf16() { return false; }

double bf16_loop(std::int64_t, float, float, std::int64_t*) {
  throw Error(ErrorCode::kUnavailable, "this CPU has no AVX512-BF16: ask has_avx512_bf16() first");
}

}  // namespace hyperllm::kernels

#endif
