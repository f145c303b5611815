#include "hyperllm/apps/pipeline.h"

#include <gtest/gtest.h>

#include <sstream>

#include "tests/apps/made_up_stages.h"
#include "tests/support/folder.h"

namespace hyperllm::apps {
namespace {

using Calls = std::vector<std::string>;

class PipelineTest : public hyperllm::test::FolderTest {
 protected:
  void SetUp() override {
    FolderTest::SetUp();
    put("source.txt", "raw ");
  }
  Calls run(const std::vector<std::string>& overrides = {}) {
    log_.calls.clear();
    out_.str("");
    const std::string text = "output = '" + (folder_ / "out").string() + "'\n[prepare]\nsource = '" +
                             (folder_ / "source.txt").string() +
                             "'\n[extract]\n[train]\nepochs = 2\n[runs.pop]\n[runs.ease]\nmodel = 'ease'\n";
    run_recipe(load_recipe(put("r.toml", text + more_), overrides), test::made_up_stages(log_), context_,
               out_);
    return log_.calls;
  }
  test::Log log_;
  std::string more_;
  std::ostringstream out_;
  std::stop_source stop_;
  Context context_{&silent_sink(), stop_.get_token()};
  const Calls everything_ = {"prepare r",  "extract r",     "train pop", "evaluate pop",
                             "train ease", "evaluate ease", "report"};
};

TEST_F(PipelineTest, WalksEveryStageOnceAndThenFindsAllUpToDate) {
  EXPECT_EQ(run(), everything_);
  EXPECT_EQ(out_.str(), "table of 2\n");
  EXPECT_EQ(read_file(folder_ / "out/runs/ease/train.txt"),
            "raw preparepopular1/0extractpopular1/0trainease2/0");
  EXPECT_EQ(run(), Calls{"report"});
  EXPECT_EQ(out_.str(), "table of 2\n") << "the table is printed again";
}

TEST_F(PipelineTest, AChangedOptionRunsItsStageAndWhatDependsOnIt) {
  run();
  EXPECT_EQ(run({"runs.ease.epochs=5"}), (Calls{"train ease", "evaluate ease", "report"}));
  EXPECT_EQ(run({"evaluate.ks=5"}), (Calls{"evaluate pop", "train ease", "evaluate ease", "report"}));
}

TEST_F(PipelineTest, AChangedInputRunsEverythingThatReadsIt) {
  run();
  put("source.txt", "raw2 ");
  EXPECT_EQ(run(), everything_);
}

TEST_F(PipelineTest, WhatComesOutTheSameStopsTheCascade) {
  run();
  EXPECT_EQ(run({"extract.shuffle=false"}), (Calls{"extract r", "report"}))
      << "extract wrote the same bytes, so nothing after it is stale";
}

TEST_F(PipelineTest, OptionsThatOnlySayHowDoNotCount) {
  run();
  EXPECT_EQ(run({"train.resume=true"}), Calls{"report"});
}

TEST_F(PipelineTest, AMistakeInTheLastRunIsToldBeforeAnyWork) {
  more_ = "epohcs = 3\n";
  hyperllm::test::expect_error(ErrorCode::kInvalidArgument, {"[runs.ease]: unknown key 'epohcs'"},
                               [&] { run(); });
  EXPECT_TRUE(log_.calls.empty());
}

TEST_F(PipelineTest, FoldersFollowFromTheTopLevel) {
  more_ = "output = 'x'\n";
  hyperllm::test::expect_error(ErrorCode::kInvalidArgument,
                               {"r.toml:", "'output' follows from the top of the recipe"}, [&] { run(); });
}

TEST_F(PipelineTest, SeedsRunEverythingOnceForEach) {
  EXPECT_EQ(run({"seeds=3,1"}), (Calls{"prepare r", "extract r", "train seed-3", "evaluate seed-3",
                                       "train seed-1", "evaluate seed-1", "train seed-3", "evaluate seed-3",
                                       "train seed-1", "evaluate seed-1", "report"}));
  EXPECT_EQ(out_.str(), "table of 4\n");
  EXPECT_TRUE(read_file(folder_ / "out/runs/ease/seed-1/train.txt").ends_with("trainease2/1"));
  EXPECT_EQ(run({"seeds=1"}), Calls{"report"}) << "seed 1 is there already";
  hyperllm::test::expect_error(ErrorCode::kInvalidArgument,
                               {"'train pop/seed-4' twice", "pop/seed-4", "each seed once"},
                               [&] { run({"seeds=4,4"}); });
  EXPECT_TRUE(log_.calls.empty()) << "told before any work";
  more_ = "seed = 5\n";
  hyperllm::test::expect_error(ErrorCode::kInvalidArgument, {"'seed' follows", "'seeds'"},
                               [&] { run({"seeds=1"}); });
}

TEST_F(PipelineTest, TrainAloneIsOneRunAndAnEmptyRecipeIsAnError) {
  const auto recipe = [&](const std::string& text) {
    return load_recipe(put("solo.toml", "output = '" + (folder_ / "out").string() + "'\n" + text));
  };
  EXPECT_EQ(run_folder(recipe(""), "solo"), folder_ / "out/runs/solo");
  put("out/data/solo/extract.txt", "e");
  run_recipe(recipe("[train]\n"), test::made_up_stages(log_), context_, out_);
  EXPECT_EQ(log_.calls, (Calls{"train solo", "evaluate solo", "report"}));
  hyperllm::test::expect_error(ErrorCode::kInvalidArgument, {"asks for nothing"},
                               [&] { run_recipe(recipe(""), test::made_up_stages(log_), context_, out_); });
}

TEST_F(PipelineTest, AStopBetweenStagesKeepsWhatIsDone) {
  log_.on_call = [&](const std::string& name, const Context&) {
    if (name == "extract r") stop_.request_stop();
  };
  hyperllm::test::expect_error(ErrorCode::kInterrupted, {"run interrupted", "same command"}, [&] { run(); });
  EXPECT_EQ(log_.calls, (Calls{"prepare r", "extract r"}));
  log_.on_call = [](const std::string&, const Context&) {};
  context_.stop = {};
  EXPECT_EQ(run(), (Calls{"train pop", "evaluate pop", "train ease", "evaluate ease", "report"}));
}

TEST_F(PipelineTest, AFailedStageIsNotUpToDate) {
  run();
  log_.on_call = [](const std::string& name, const Context&) {
    if (name == "train pop") throw Error(ErrorCode::kNonFinite, "loss is NaN");
  };
  EXPECT_THROW(run({"runs.pop.epochs=9"}), Error);
  log_.on_call = [](const std::string&, const Context&) {};
  EXPECT_EQ(run({"runs.pop.epochs=9"}), (Calls{"train pop", "evaluate pop", "report"}));
}

}  // namespace
}  // namespace hyperllm::apps
