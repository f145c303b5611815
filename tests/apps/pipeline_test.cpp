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
  Calls run(const std::vector<std::string>& overrides = {}, const std::vector<std::string>& only = {}) {
    log_.calls.clear();
    out_.str("");
    const std::string text = "output = '" + (folder_ / "out").string() + "'\n[prepare]\nsource = '" +
                             (folder_ / "source.txt").string() +
                             "'\n[extract]\n[train]\nepochs = 2\n[runs.pop]\n[runs.ease]\nmodel = 'ease'\n";
    run_recipe(load_recipe(put("r.toml", text + more_), overrides), only, test::made_up_stages(log_),
               context_, out_);
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
  run_recipe(recipe("[train]\n"), {}, test::made_up_stages(log_), context_, out_);
  EXPECT_EQ(log_.calls, (Calls{"train solo", "evaluate solo", "report"}));
  hyperllm::test::expect_error(ErrorCode::kInvalidArgument, {"asks for nothing"}, [&] {
    run_recipe(recipe(""), {}, test::made_up_stages(log_), context_, out_);
  });
}

TEST_F(PipelineTest, ModelsAndVariantsMakeARunOfEachPair) {
  more_ =
      "[models.a]\nmodel = 'ease'\nepochs = 7\n[models.b]\n[variants.x]\n[variants.y]\nepochs = 9\n"
      "seeds = [4, 2]\n[runs.b-x]\nepochs = 5\n";
  EXPECT_EQ(run(), (Calls{"prepare r", "extract r", "train a-x", "evaluate a-x", "train seed-4",
                          "evaluate seed-4", "train seed-2", "evaluate seed-2", "train b-x", "evaluate b-x",
                          "train seed-4", "evaluate seed-4", "train seed-2", "evaluate seed-2", "train pop",
                          "evaluate pop", "train ease", "evaluate ease", "report"}));
  const auto trained = [&](const std::string& name) {
    return read_file(folder_ / "out/runs" / name / "train.txt");
  };
  EXPECT_TRUE(trained("a-x").ends_with("trainease7/0")) << "[models.a] goes before [train]";
  EXPECT_TRUE(trained("a-y/seed-2").ends_with("trainease9/2")) << "[variants.y] goes before [models.a]";
  EXPECT_TRUE(trained("b-x").ends_with("trainpopular5/0")) << "[runs.b-x] goes before all";
  EXPECT_EQ(run({"models.b.epochs=6"}), Calls{"report"}) << "[runs.b-x] and [variants.y] say otherwise";
  EXPECT_EQ(run({"variants.x.epochs=3"}), (Calls{"train a-x", "evaluate a-x", "report"}));
  more_ = "[models.a]\n";
  hyperllm::test::expect_error(ErrorCode::kInvalidArgument, {"[models.NAME] or [variants.NAME] alone"},
                               [&] { run(); });
  more_ = "[models.a]\n[variants.x]\nepohcs = 1\n";
  hyperllm::test::expect_error(ErrorCode::kInvalidArgument, {"[variants.x]: unknown key 'epohcs'"},
                               [&] { run(); });
}

TEST_F(PipelineTest, OnlySomeRuns) {
  more_ = "[models.a]\n[models.b]\n[variants.x]\nseeds = [1, 2]\n";
  EXPECT_EQ(run({}, {"b-*", "ease"}),
            (Calls{"prepare r", "extract r", "train seed-1", "evaluate seed-1", "train seed-2",
                   "evaluate seed-2", "train ease", "evaluate ease", "report"}));
  EXPECT_EQ(out_.str(), "table of 3\n");
  EXPECT_FALSE(std::filesystem::exists(folder_ / "out/runs/a-x"));
  EXPECT_EQ(run({}, {"a-x/seed-2"}), (Calls{"train seed-2", "evaluate seed-2", "report"}));
  hyperllm::test::expect_error(
      ErrorCode::kInvalidArgument,
      {"--only 'c-*': the recipe has no such run; it has a-x/seed-1, ", "pop, ease."}, [&] {
        run({}, {"pop", "c-*"});
      });
  EXPECT_TRUE(log_.calls.empty());
  more_ += "[runs.c]\nepohcs = 3\n";
  hyperllm::test::expect_error(ErrorCode::kInvalidArgument, {"[runs.c]: unknown key 'epohcs'"},
                               [&] { run({}, {"pop"}); });
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
