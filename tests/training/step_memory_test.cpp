// After the first steps, a training step takes no large block of memory from the system: neither tensors nor
// the kernels' own buffers. An executable of its own, because it replaces the allocation functions.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <new>

#include "hyperllm/base/scratch.h"
#include "hyperllm/frameworks/hyperllm.h"
#include "hyperllm/models/model.h"
#include "hyperllm/optim/optimizer.h"
#include "hyperllm/training/sampler.h"
#include "hyperllm/training/tensor_memory.h"
#include "tests/support/planted_dataset.h"

namespace {

std::atomic<std::int64_t> large_blocks{0};

void count(std::size_t bytes) {
  if (bytes >= 65536) large_blocks.fetch_add(1, std::memory_order_relaxed);
}

}  // namespace

void* operator new(std::size_t bytes) {
  count(bytes);
  void* block = std::malloc(bytes);
  if (!block) throw std::bad_alloc();
  return block;
}
void operator delete(void* block) noexcept { std::free(block); }
void operator delete(void* block, std::size_t) noexcept { std::free(block); }

// What LibTorch's tensors come from.
extern "C" int posix_memalign(void** block, std::size_t alignment, std::size_t bytes) {
  count(bytes);
  *block = std::aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
  return *block ? 0 : 12;
}

namespace hyperllm::training {
namespace {

// Large enough that every table exceeds 64 KB.
class StepMemory : public ::testing::TestWithParam<bool> {
 protected:
  static constexpr std::int64_t kUsers = 1400, kItems = 1500, kDim = 17;

  std::int64_t large_blocks_of_later_steps() {
    const bool softmax = GetParam();
    const auto storage = softmax ? frameworks::Storage::kTangents : frameworks::Storage::kPoints;
    frameworks::TagTask task;
    task.graph = graph::tag_graph(tags_, kItems, 1);
    task.embeddings =
        frameworks::make_table("tags", frameworks::uniform_tangents(6, kDim, 0.1, Random(1, "tags")), storage,
                               manifold::Curvature(1));
    task.contrast_weight = 0.1;
    const auto train = std::make_shared<const data::Csr>(train_);
    task.tags = std::make_shared<const data::TagGraph>(tags_);
    frameworks::HyperLlm framework(
        {models::make_backbone("hgcf", {3, 1.5, manifold::Curvature(1)}),
         graph::user_item_graph(train_),
         {kUsers, kItems},
         objectives::make_objective("hinge")},
        train,
        frameworks::make_table("ids",
                               frameworks::uniform_tangents(kUsers + kItems, kDim, 0.1, Random(1, "ids")),
                               storage, manifold::Curvature(1)),
        std::move(task));
    optim::OptimizerOptions optimizer_options;
    optimizer_options.method = softmax ? "adam" : "rsgd";
    const auto optimizer = optim::make_optimizer(framework.parameters(), optimizer_options);
    const Sampler sampler(framework.draws(), {8000, 1, Sampling::kFresh});
    const Sampler::Epoch epoch = sampler.epoch(1);
    frameworks::Batch batch;
    std::int64_t before = 0;
    for (int step = 0; step < 6; ++step) {
      if (step == 3) before = large_blocks;
      epoch.batch(step % 2, batch);  // of 8000 triplets, then of 3200
      optimizer->zero_grad();
      const torch::Tensor loss = framework.loss(batch, {true, 1, 1, step});
      loss.backward();
      optimizer->step();
    }
    return large_blocks - before;
  }

  const data::Csr train_ = test::planted_interactions({kUsers, kItems, 8, true, true}).train_csr();
  const data::TagGraph tags_ = test::planted_tags(kItems);
};

TEST_P(StepMemory, ATrainingStepTakesNoLargeBlock) {
  EXPECT_GT(large_blocks_of_later_steps(), 0) << "else this test counts nothing";
  const ReusedTensorMemory memory;
  EXPECT_EQ(large_blocks_of_later_steps(), 0);
}

INSTANTIATE_TEST_SUITE_P(Storages, StepMemory, ::testing::Values(false, true));

TEST(ReusedTensorMemory, HandsOutWhatWasFreedAndLetsTensorsOutliveIt) {
  torch::Tensor survivor;
  {
    const ReusedTensorMemory outer;
    const std::int64_t before = blocks_made();
    void* first = nullptr;
    for (int i = 0; i < 3; ++i) {
      const torch::Tensor tensor = torch::empty({1 << 20});
      if (i == 0) first = tensor.data_ptr();
      EXPECT_EQ(tensor.data_ptr(), first);
      const ReusedTensorMemory inner;  // changes nothing
    }
    EXPECT_EQ(blocks_made(), before + 1);
    const torch::Tensor smaller = torch::empty({(1 << 20) - 50000});
    EXPECT_EQ(smaller.data_ptr(), first);
    const torch::Tensor much_smaller = torch::empty({100000});
    EXPECT_EQ(blocks_made(), before + 2);
    survivor = torch::ones({1 << 18});
  }
  EXPECT_EQ(block_bytes_held(), 1 << 20);
  EXPECT_EQ(survivor.sum().item<float>(), 1 << 18);
  survivor = torch::Tensor();
  EXPECT_EQ(block_bytes_held(), 0);
  const std::int64_t made = blocks_made();
  torch::empty({1 << 20});
  EXPECT_EQ(blocks_made(), made);
}

}  // namespace
}  // namespace hyperllm::training
