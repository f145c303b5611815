// The frameworks beside HyperLLM as runs: files, options, refusals, and runs that go on.
#include <gtest/gtest.h>

#include <map>
#include <nlohmann/json.hpp>

#include "hyperllm/artifact/npy.h"
#include "hyperllm/base/parallel.h"
#include "hyperllm/stages/train/run.h"
#include "tests/stages/train/run_files.h"
#include "tests/support/folder.h"
#include "tests/support/planted_dataset.h"

namespace hyperllm::stages::train {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using test::expect_error;
using test::run_files;

class FrameworkRuns : public test::FolderTest, public ::testing::WithParamInterface<const char*> {
 protected:
  void SetUp() override {
    FolderTest::SetUp();
    test::write_planted_dataset(folder_ / "planted");
  }
  void TearDown() override {
    set_num_threads(0);
    FolderTest::TearDown();
  }
  TrainOptions options(const std::string& output) const {
    TrainOptions out;
    out.objective = "auto";
    out.lr = 1e-3;
    out.dataset = folder_ / "planted";
    out.output = folder_ / output;
    out.framework = GetParam();
    out.embeddings = "planted";
    out.dim = 4;
    out.batch_size = 100;
    out.epochs = 3;
    out.checkpoint_seconds = 0;
    return out;
  }
  void fails(ErrorCode code, std::initializer_list<std::string_view> parts, const TrainOptions& with) const {
    expect_error(code, parts, [&] { run(with, {}); });
  }
};

TEST_P(FrameworkRuns, WriteTheModelAndTheirName) {
  const TrainOptions with = options("run");
  const TrainResult result = run(with, {});
  for (const fs::path& output : result.outputs) EXPECT_TRUE(fs::exists(output)) << output;
  EXPECT_EQ(run_files(with.output).size(), 6u) << "model, result, checkpoint and log";
  EXPECT_EQ(json::parse(read_file(with.output / "result.json")).at("variant"), GetParam());
  const std::int64_t width = with.framework == "kar" ? 8 : 4;
  EXPECT_EQ(artifact::read_npy(with.output / "model" / "users.npy").cols, width);
  const auto inputs = result.inputs;
  EXPECT_EQ(inputs.back(), folder_ / "planted" / "embeddings" / "planted" / "items.npy");
}

TEST_P(FrameworkRuns, InterruptedInEveryStepEndInTheFilesOfAnUndisturbedRun) {
  run(options("calm"), {});
  int interruptions = 0;
  for (bool done = false; !done;) {
    std::stop_source stop;
    stop.request_stop();
    set_num_threads(1 + interruptions % 3);
    try {
      run(options("stopped"), Context{&silent_sink(), stop.get_token()});
      done = true;
    } catch (const Error& error) {
      ASSERT_EQ(error.code(), ErrorCode::kInterrupted) << error.what();
      ASSERT_LT(++interruptions, 100);
    }
  }
  EXPECT_GE(interruptions, 9);
  EXPECT_EQ(run_files(folder_ / "stopped"), run_files(folder_ / "calm"));
}

TEST_P(FrameworkRuns, ServeEveryObjective) {
  for (const char* objective : {"hinge", "softmax"})
    for (const char* optimizer : {"adam", "sgd"}) {
      TrainOptions with = options(std::string(objective) + optimizer);
      with.objective = objective;
      with.set(std::string(GetParam()) + "_optimizer", optimizer);
      EXPECT_GT(run(with, {}).valid.front().second, 0) << objective;
    }
  EXPECT_NE(read_file(folder_ / "hingeadam" / "model" / "users.npy"),
            read_file(folder_ / "hingesgd" / "model" / "users.npy"));
}

TEST_P(FrameworkRuns, WithoutEmbeddingsTheMessageSaysWhatMakesThem) {
  fs::remove_all(folder_ / "planted" / "embeddings");
  fails(ErrorCode::kIo, {"no such embeddings", "`hyperllm embed`"}, options("run"));
}

TEST_P(FrameworkRuns, PlanTheMemoryOfTheirStep) {
  const auto planned = [&](const std::string& framework) {
    TrainOptions with = options(framework);
    with.framework = framework;
    if (framework == "hyperllm") with.set("variant", "base");
    if (framework == "kar") with.set("kar_hidden", "20000");
    with.memory_limit = 1;  // enough to see the plan
    try {
      run(with, {});
    } catch (const Error& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  EXPECT_NE(planned("hyperllm").find("evaluation"), std::string::npos) << planned("hyperllm");
  const bool large = std::string(GetParam()) == "kar";  // the others' is less than an evaluation here
  EXPECT_EQ(planned(GetParam()).find("step ") != std::string::npos, large) << planned(GetParam());
}

INSTANTIATE_TEST_SUITE_P(All, FrameworkRuns, ::testing::Values("kar", "rlmrec_con", "rlmrec_gen"),
                         [](const auto& the) { return std::string(the.param); });

TEST(FrameworkOptions, AreRefusedOutOfRangeAndForAnotherFramework) {
  TrainOptions options;
  options.objective = "auto";
  options.lr = 1e-3;
  options.dataset = "data";
  options.output = "run";
  options.framework = "kar";
  struct Wrong {
    const char *name, *text;
  };
  for (const auto& [name, text] :
       {Wrong{"kar_experts", "0"}, Wrong{"kar_shared_experts", "-1"}, Wrong{"kar_hidden", "0"},
        Wrong{"kar_join", "sum"}, Wrong{"kar_lr", "0"}, Wrong{"kar_weight_decay", "-1"},
        Wrong{"kar_optimizer", "rsgd"}, Wrong{"rlmrec_con_weight", "-0.1"}, Wrong{"rlmrec_con_tau", "0"},
        Wrong{"rlmrec_con_users", "some"}, Wrong{"rlmrec_gen_ratio", "1"}, Wrong{"rlmrec_gen_ratio", "-0.1"},
        Wrong{"rlmrec_gen_weight", "-1"}, Wrong{"rlmrec_gen_tau", "0"}, Wrong{"rlmrec_gen_rows", "-1"}})
    expect_error(ErrorCode::kInvalidArgument, {name}, [&] { options.set(name, text); });
  options.set("kar_experts", "3");
  options.validate();
  options.set("rlmrec_con_tau", "0.5");
  expect_error(ErrorCode::kInvalidArgument,
               {"'rlmrec_con_tau' belongs to the framework rlmrec_con", "'framework' is kar", "leave it out"},
               [&] { options.validate(); });
  options.set("rlmrec_con_tau", "0.2");
  options.set("variant", "base");
  expect_error(ErrorCode::kInvalidArgument, {"'variant' belongs to the framework hyperllm"},
               [&] { options.validate(); });
}

}  // namespace
}  // namespace hyperllm::stages::train
