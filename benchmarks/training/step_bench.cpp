// A training step of phase 2 at Amazon-Beauty's size (10,553 users, 6,086 items, 6,418 tags, 49 dimensions,
// 3 layers, batches of 4,096), whole and in parts, on synthetic data. Counters, all per iteration: page
// faults, allocations of 64 KB and more, and all calls of operator new.
#include <benchmark/benchmark.h>
#include <sys/resource.h>

#include <atomic>
#include <cstdlib>
#include <new>

#include "benchmarks/training/catalogue.h"
#include "hyperllm/base/parallel.h"
#include "hyperllm/frameworks/hyperllm.h"
#include "hyperllm/models/model.h"
#include "hyperllm/optim/optimizer.h"
#include "hyperllm/training/sampler.h"
#include "hyperllm/training/tensor_memory.h"
#include "hyperllm/training/threads.h"

namespace {

std::atomic<std::int64_t> large_blocks{0}, small_blocks{0};

void* counted(std::size_t bytes) {
  (bytes >= 65536 ? large_blocks : small_blocks).fetch_add(1, std::memory_order_relaxed);
  void* block = std::malloc(bytes);
  if (!block) throw std::bad_alloc();
  return block;
}

}  // namespace

void* operator new(std::size_t bytes) { return counted(bytes); }
void operator delete(void* block) noexcept { std::free(block); }
void operator delete(void* block, std::size_t) noexcept { std::free(block); }

// What LibTorch's tensors come from.
extern "C" int posix_memalign(void** block, std::size_t alignment, std::size_t bytes) {
  if (bytes >= 65536) large_blocks.fetch_add(1, std::memory_order_relaxed);
  *block = std::aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
  return *block ? 0 : 12;
}

namespace hyperllm::benchmarks {
namespace {

struct Counts {
  std::int64_t large = large_blocks, small = small_blocks, faults = page_faults();
  static std::int64_t page_faults() {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_minflt;
  }
  void report(benchmark::State& state) const {
    const auto per_iteration = [&](std::int64_t now, std::int64_t before) {
      return benchmark::Counter(static_cast<double>(now - before), benchmark::Counter::kAvgIterations);
    };
    state.counters["faults"] = per_iteration(page_faults(), faults);
    state.counters["large"] = per_iteration(large_blocks, large);
    state.counters["new"] = per_iteration(small_blocks, small);
  }
};

class Training {
 public:
  explicit Training(double contrast_weight, bool softmax = false)
      : backbone_(models::make_backbone("hgcf", {3, 1.5, manifold::Curvature(1)})),
        framework_(make(contrast_weight, softmax)) {
    optim::OptimizerOptions options;
    options.method = softmax ? "adam" : "rsgd";
    options.max_radius = 1.5;
    optimizer_ = optim::make_optimizer(framework_.parameters(), options);
  }

  // The last batch of an epoch is small: it is left out.
  void sample() { epoch_.batch(at_++ % (sampler_.batches_per_epoch() - 1), batch_); }
  torch::Tensor forward() { return framework_.loss(batch_, {true, 1, 1, at_}); }
  void update() { optimizer_->step(); }
  void step() {
    sample();
    optimizer_->zero_grad();
    const torch::Tensor loss = forward();
    benchmark::DoNotOptimize(loss.item<double>());
    loss.backward();
    update();
  }
  void zero_grad() { optimizer_->zero_grad(); }
  const training::Sampler& sampler() const { return sampler_; }

 private:
  frameworks::HyperLlm make(double contrast_weight, bool softmax) const {
    const auto storage = softmax ? frameworks::Storage::kTangents : frameworks::Storage::kPoints;
    const auto table = [&](const char* name, std::int64_t rows) {
      return frameworks::make_table(name, frameworks::uniform_tangents(rows, kDim, 0.1, Random(1, name)),
                                    storage, manifold::Curvature(1));
    };
    frameworks::TagTask task;
    task.graph = graph::tag_graph(tags_, kItems, 2);
    task.embeddings = table("tag_embeddings", kTags);
    task.contrast_weight = contrast_weight;
    task.tags = std::make_shared<const data::TagGraph>(tags_);
    return frameworks::HyperLlm({backbone_,
                                 graph::user_item_graph(train_),
                                 {kUsers, kItems},
                                 objectives::make_objective(softmax ? "softmax" : "hinge")},
                                std::make_shared<const data::Csr>(train_),
                                table("embeddings", kUsers + kItems), std::move(task));
  }

  const training::ReusedTensorMemory memory_;
  const data::Csr train_ = interactions();
  const data::TagGraph tags_ = tags();
  frameworks::Batch batch_;
  std::int64_t at_ = 0;
  std::shared_ptr<const models::Backbone> backbone_;
  frameworks::HyperLlm framework_;
  const training::Sampler sampler_{framework_.draws(), {kBatch, 1, training::Sampling::kFresh}};
  const training::Sampler::Epoch epoch_ = sampler_.epoch(1);
  std::unique_ptr<optim::Optimizer> optimizer_;
};

void use_threads(benchmark::State& state) {
  set_num_threads(static_cast<int>(state.range(0)));
  training::leave_threads_to_loops();
}

void sampler_epoch(benchmark::State& state) {
  use_threads(state);
  const Training training(0);
  std::int64_t number = 0;
  frameworks::Batch batch;
  const Counts counts;
  for (auto _ : state) {
    const training::Sampler::Epoch epoch = training.sampler().epoch(++number);
    for (std::int64_t b = 0; b < training.sampler().batches_per_epoch(); ++b) epoch.batch(b, batch);
  }
  counts.report(state);
}

// Arguments: threads, contrast weight in thousandths.
void forward(benchmark::State& state) {
  use_threads(state);
  Training training(static_cast<double>(state.range(1)) / 1000);
  for (int i = 0; i < 3; ++i) training.step();
  const Counts counts;
  for (auto _ : state) benchmark::DoNotOptimize(training.forward());
  counts.report(state);
}

void backward(benchmark::State& state) {
  use_threads(state);
  Training training(static_cast<double>(state.range(1)) / 1000);
  for (int i = 0; i < 3; ++i) training.step();
  for (auto _ : state) {
    state.PauseTiming();
    training.zero_grad();
    const torch::Tensor loss = training.forward();
    state.ResumeTiming();
    loss.backward();
  }
}

void optimizer(benchmark::State& state) {
  use_threads(state);
  Training training(0);
  for (int i = 0; i < 3; ++i) training.step();
  const Counts counts;
  for (auto _ : state) training.update();
  counts.report(state);
}

void step(benchmark::State& state) {
  use_threads(state);
  Training training(static_cast<double>(state.range(1)) / 1000, state.range(2) != 0);
  for (int i = 0; i < 3; ++i) training.step();
  const Counts counts;
  for (auto _ : state) training.step();
  counts.report(state);
}

#define HYPERLLM_STEP_BENCHMARK(name) BENCHMARK(name)->Unit(benchmark::kMillisecond)->UseRealTime()

HYPERLLM_STEP_BENCHMARK(sampler_epoch)->ArgName("threads")->Arg(1);
HYPERLLM_STEP_BENCHMARK(forward)->ArgNames({"threads", "contrast"})->Args({2, 0});
HYPERLLM_STEP_BENCHMARK(backward)->ArgNames({"threads", "contrast"})->Args({2, 0});
HYPERLLM_STEP_BENCHMARK(optimizer)->ArgName("threads")->Arg(1)->Arg(2);
HYPERLLM_STEP_BENCHMARK(step)
    ->ArgNames({"threads", "contrast", "softmax"})
    ->Args({1, 0, 0})
    ->Args({2, 0, 0})
    ->Args({2, 10, 0});

}  // namespace
}  // namespace hyperllm::benchmarks

BENCHMARK_MAIN();
