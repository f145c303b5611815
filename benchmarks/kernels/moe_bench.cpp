// The mixture of experts at Amazon-Beauty's size: 16,639 users and items, 256 (LSA) or 3,072 (an embedding
// model) semantic dimensions, 16 experts of 49 dimensions. One row of the result is checked before it is
// timed.
//     build/dev/benchmarks/kernels/moe_bench
// share: of the peak of the instruction in use (float32 on AMX: of the multiply-adds'), on as many threads,
// measured just before. MB: what is kept between steps, inputs included.
#include <benchmark/benchmark.h>

#include <chrono>
#include <cmath>
#include <span>
#include <vector>

#include "hyperllm/base/parallel.h"
#include "hyperllm/kernels/bfloat16.h"
#include "hyperllm/kernels/ceilings.h"
#include "hyperllm/kernels/moe.h"
#include "hyperllm/kernels/panels_amx.h"
#include "tests/support/points.h"

namespace hyperllm::kernels {
namespace {

using Floats = std::vector<float>;

constexpr std::int64_t kRows = 16639, kExperts = 16, kDim = 49;

enum Engine { kFloat, kAvx512Bf16, kAmxBf16, kAmxFloat };

double last_row_first_column(const MoeShape& shape, std::span<const float> s, const Floats& weights,
                             const Floats& bias) {
  const auto linear = [&](std::int64_t k) {
    double sum = bias[k];
    for (std::int64_t j = 0; j < shape.input; ++j)
      sum += static_cast<double>(weights[k * shape.input + j]) * s[(shape.rows - 1) * shape.input + j];
    return sum;
  };
  double gates = 0, out = 0;
  for (std::int64_t k = 0; k < shape.experts; ++k) {
    gates += std::exp(linear(k));
    out += std::exp(linear(k)) * linear(shape.experts + k * shape.output);
  }
  return out / gates;
}

double peak_gflops(Engine engine) {
  if (engine == kFloat || engine == kAmxFloat) return measure_fma_gflops();
  return engine == kAvx512Bf16 ? measure_bf16_gflops() : measure_amx_gflops();
}

// Arguments: threads, semantic dimensions, 0: forward, 1: forward and backward, Engine.
void moe(benchmark::State& state) {
  const auto kind = static_cast<Engine>(state.range(3));
  const bool full = kind == kFloat || kind == kAmxFloat;
  const Bfloat16 bfloat16 = kind == kAvx512Bf16 ? Bfloat16::kAvx512 : Bfloat16::kAmx;
  if (kind == kAmxFloat ? !has_amx_parts() : !full && !has_bfloat16(bfloat16))
    return state.SkipWithError("not on this CPU");
  const PanelEngine& engine = kind == kFloat      ? float_panels()
                              : kind == kAmxFloat ? amx_float_panels()
                                                  : bfloat16_panels(bfloat16);
  set_num_threads(static_cast<int>(state.range(0)));
  const double peak = peak_gflops(kind);
  const MoeShape shape{kRows, state.range(1), kExperts, kDim};
  const double scale = 1 / std::sqrt(static_cast<double>(shape.input));
  GrowingScratch semantic;  // on huge pages, as in training
  const std::span<float> s(semantic.get(static_cast<std::size_t>(shape.rows * shape.input)),
                           static_cast<std::size_t>(shape.rows * shape.input));
  Random random(1, "semantic");
  for (float& value : s) value = static_cast<float>(random.uniform(-1.7, 1.7));
  const Floats weights = test::normal_floats(shape.stacked() * shape.input, 2, scale),
               bias = test::normal_floats(shape.stacked(), 3),
               grad = test::normal_floats(shape.rows * kDim, 4);
  const MoeInputs inputs(s, shape.rows, shape.input, engine);
  Moe mixture(shape, engine);
  Floats x(grad.size()), gw(weights.size()), gb(bias.size());
  const bool backward = state.range(2) == 1;
  const auto step = [&] {
    mixture.forward(inputs, weights, bias, x, backward);
    if (backward) mixture.backward(inputs, weights, grad, gw, gb, {});
  };
  step();
  const double expected = last_row_first_column(shape, s, weights, bias);
  if (std::abs(x[(shape.rows - 1) * kDim] - expected) > (full ? 1e-5 : 1e-2))
    return state.SkipWithError("the mixture is wrong");
  const auto start = std::chrono::steady_clock::now();
  for (auto _ : state) {
    step();
    benchmark::DoNotOptimize(x.data());
  }
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  const double flops =
      (backward ? 4.0 : 2.0) * static_cast<double>(shape.rows * shape.input * shape.stacked());
  const double rate = flops * static_cast<double>(state.iterations()) / seconds * 1e-9;
  state.counters["GFLOP/s"] = rate;
  state.counters["peak"] = peak;
  state.counters["share"] = rate / peak;
  const std::size_t input_bytes = full ? s.size_bytes() : inputs.bytes();
  state.counters["MB"] = static_cast<double>(input_bytes + mixture.bytes()) * 1e-6;
  set_num_threads(0);
}

BENCHMARK(moe)
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime()
    ->ArgNames({"threads", "input", "backward", "engine"})
    ->ArgsProduct({{1, 2}, {256, 3072}, {0, 1}, {kFloat, kAvx512Bf16, kAmxBf16, kAmxFloat}});

}  // namespace
}  // namespace hyperllm::kernels

BENCHMARK_MAIN();
