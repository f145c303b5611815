// The plan of a run's memory against what the run takes.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "hyperllm/data/synthetic.h"
#include "hyperllm/stages/train/run.h"
#include "tests/support/folder.h"

namespace hyperllm::stages::train {
namespace {

class PlannedMemory : public test::FolderTest {};

TEST_F(PlannedMemory, IsWithinAQuarterOfThePeak) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "sanitizers take memory of their own";
#endif
  data::SyntheticShape shape;
  shape.users = 60'000;
  shape.items = 12'000;
  shape.interactions = 600'000;
  shape.tags = 3'000;
  shape.tag_edges = 6'000;
  shape.tag_items = 72'000;
  {
    const data::Synthetic made = data::make_synthetic(shape);
    data::save_dataset(made.dataset, folder_ / "made");
    data::save_tags(made.tags, folder_ / "made", made.dataset.items);
  }
  TrainOptions options;
  options.objective = "auto";
  options.lr = 1e-3;
  options.dataset = folder_ / "made";
  options.output = folder_ / "run";
  options.set("variant", "structural");
  options.set("contrast_weight", "0");
  options.batch_size = 100'000;
  options.epochs = 1;
  options.eval_users = 1'000;
  run(options, {});
  const auto timing = nlohmann::json::parse(read_file(options.output / "timing.json"));
  const double planned = timing.at("planned_memory"), peak = timing.at("peak_memory");
  EXPECT_GT(planned, 0.75 * peak);
  EXPECT_LT(planned, 1.33 * peak);
}

}  // namespace
}  // namespace hyperllm::stages::train
