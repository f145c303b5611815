#include "hyperllm/training/memory_plan.h"

#include <gtest/gtest.h>

#include <functional>

#include "tests/support/folder.h"

namespace hyperllm::training {
namespace {

RunShape beauty() {
  RunShape shape;
  shape.users = 10'553;
  shape.items = 6'086;
  shape.train = 70'614;
  shape.held_out = 23'534;
  shape.tags = 6'418;
  shape.tag_edges = 16'739;
  shape.tag_items = 51'396;
  shape.threads = 2;
  return shape;
}

TEST(MemoryPlan, GrowsWithEverythingThatTakesMemory) {
  const std::int64_t base = plan_memory(beauty()).peak();
  const std::function<void(RunShape&)> larger[] = {
      [](RunShape& s) { s.users *= 4; },
      [](RunShape& s) { s.items *= 4; },
      [](RunShape& s) { s.train *= 4; },
      [](RunShape& s) { s.held_out *= 4; },
      [](RunShape& s) { s.tags *= 4; },
      [](RunShape& s) { s.tag_edges *= 4; },
      [](RunShape& s) { s.tag_items *= 4; },
      [](RunShape& s) { s.dim *= 4; },
      [](RunShape& s) { s.adam = true; },
      [](RunShape& s) { s.threads *= 4; },
      [](RunShape& s) { s.semantic_dim = 3072, s.experts = 16; }};
  for (std::size_t i = 0; i < std::size(larger); ++i) {
    RunShape shape = beauty();
    larger[i](shape);
    EXPECT_GT(plan_memory(shape).peak(), base) << i;
  }
}

TEST(MemoryPlan, SampledContrastAndFewerEvaluatedUsersTakeLess) {
  RunShape shape = beauty();
  shape.users = 1'000'000;
  shape.items = 200'000;
  shape.train = 7'500'000;
  const std::int64_t whole = plan_memory(shape).peak();
  shape.contrast_rows = 4096;
  EXPECT_LT(plan_memory(shape).peak(), whole);
  shape.contrast = false;
  const std::int64_t without = plan_memory(shape).peak();
  EXPECT_LT(without, 8'000'000'000);
}

TEST(MemoryPlan, ARunThatWillNotFitSaysWhatWouldHelp) {
  const MemoryPlan plan = plan_memory(beauty());
  require_memory(plan, plan.peak());
  require_memory(plan, -1);
  test::expect_error(ErrorCode::kInvalidArgument,
                     {"will not fit", "and there are 50 MB", "'dim'", "'contrast_rows'", "'batch_size'",
                      "'memory_limit'", "process"},
                     [&] { require_memory(plan, 50'000'000); });
}

}  // namespace
}  // namespace hyperllm::training
