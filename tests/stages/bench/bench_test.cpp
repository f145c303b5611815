#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "hyperllm/data/synthetic.h"
#include "hyperllm/stages/bench/run.h"
#include "tests/support/folder.h"

namespace hyperllm::stages::bench {
namespace {

using nlohmann::json;

class Bench : public test::FolderTest {
 protected:
  void SetUp() override {
    FolderTest::SetUp();
    data::SyntheticShape shape;
    shape.users = 500;
    shape.items = 200;
    shape.interactions = 5000;
    shape.tags = 64;
    shape.tag_edges = 128;
    shape.tag_items = 800;
    made_ = data::make_synthetic(shape);
    data::save_dataset(made_.dataset, folder_ / "made");
  }
  BenchOptions options() const {
    BenchOptions out;
    out.dataset = folder_ / "made";
    out.dim = 7;
    out.batch_size = 1000;
    out.epochs = 10;
    out.seconds = 0.01;
    return out;
  }
  static std::vector<std::string> names(const BenchResult& result) {
    std::vector<std::string> out;
    for (const BenchPart& part : result.parts) out.push_back(part.name);
    return out;
  }
  data::Synthetic made_;
};

TEST_F(Bench, ADatasetsEstimateAddsUpAndIsPrinted) {
  data::save_tags(made_.tags, folder_ / "made", made_.dataset.items);
  BenchOptions with = options();
  with.contrast_rows = 50;
  const BenchResult result = run(with, {});
  EXPECT_EQ(result.users, 500);
  EXPECT_EQ(result.items, 200);
  EXPECT_EQ(result.tags, 64);
  EXPECT_EQ(result.interactions, made_.dataset.train.size());
  EXPECT_EQ(result.steps_per_epoch, (result.interactions + 999) / 1000);
  EXPECT_EQ(names(result),
            (std::vector<std::string>{"contrast", "propagation", "triplet losses", "optimizer", "sampling"}));
  for (const BenchPart& part : result.parts) {
    EXPECT_GT(part.ms, 0) << part.name;
    const double ceiling =
        part.unit == "GFLOP/s" ? result.ceilings.fma_gflops : result.ceilings.gather_gbytes;
    EXPECT_DOUBLE_EQ(part.share, part.unit.empty() ? 0 : part.rate / ceiling) << part.name;
  }
  const BenchPart& contrast = result.parts[0];
  EXPECT_NEAR(contrast.rate * contrast.ms * 1e6, 6.0 * 50 * 200 * 8, 1);
  // Not against the step, which is ten times as long here and measured at another moment: that could only
  // fail by the scheduler.
  EXPECT_GT(result.step_ms, 0);
  const double steps = static_cast<double>(result.steps_per_epoch);
  EXPECT_NEAR(result.epoch_s, (steps * (result.step_ms + result.parts[4].ms) + result.evaluation_ms) / 1e3,
              1e-9);
  EXPECT_DOUBLE_EQ(result.total_s, 10 * result.epoch_s);
  EXPECT_GT(result.planned_memory, 0);
  for (const char* word :
       {"multiply-add", "500 users", "training step", "of the ceiling", "at most 10 epochs", "MB"})
    EXPECT_NE(result.text.find(word), std::string::npos) << word << " in\n" << result.text;
}

TEST_F(Bench, WithoutTagsThereIsNoContrastAndJsonHoldsTheSame) {
  BenchOptions with = options();
  with.json = true;
  const BenchResult result = run(with, {});
  EXPECT_EQ(names(result),
            (std::vector<std::string>{"propagation", "triplet losses", "optimizer", "sampling"}));
  const json printed = json::parse(result.text);
  EXPECT_EQ(printed.at("machine").at("fma_gflops"), result.ceilings.fma_gflops);
  EXPECT_EQ(printed.at("dataset").at("train_interactions"), result.interactions);
  EXPECT_EQ(printed.at("parts").size(), 4u);
  EXPECT_EQ(printed.at("step_ms"), result.step_ms);
  EXPECT_EQ(printed.at("total_s"), result.total_s);
  EXPECT_EQ(printed.at("planned_memory"), result.planned_memory);
}

TEST_F(Bench, BadOptionsAreNamed) {
  const auto fails = [&](const char* part, const std::function<void(BenchOptions&)>& spoil) {
    BenchOptions with = options();
    spoil(with);
    test::expect_error(ErrorCode::kInvalidArgument, {"expected", part}, [&] { run(with, {}); });
  };
  fails("'dim'", [](BenchOptions& o) { o.dim = 0; });
  fails("'batch_size'", [](BenchOptions& o) { o.batch_size = 0; });
  fails("'contrast_rows'", [](BenchOptions& o) { o.contrast_rows = -1; });
  fails("'seconds'", [](BenchOptions& o) { o.seconds = 0; });
  BenchOptions missing = options();
  missing.dataset = folder_ / "nowhere";
  test::expect_error(ErrorCode::kIo, {"nowhere"}, [&] { run(missing, {}); });
}

}  // namespace
}  // namespace hyperllm::stages::bench
