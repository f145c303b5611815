#include "hyperllm/apps/cli.h"

#include <gtest/gtest.h>
#include <signal.h>

#include <sstream>
#include <thread>

#include "hyperllm/base/parallel.h"
#include "tests/apps/made_up_stages.h"
#include "tests/support/folder.h"

namespace hyperllm::apps {
namespace {

class CliTest : public hyperllm::test::FolderTest {
 protected:
  int run(std::vector<std::string> arguments) {
    out_.str("");
    std::vector<Stage> stages = test::made_up_stages(log_);
    for (Stage& stage : stages)
      if (without_train_ && stage.name == "train") stage.make = {};
    std::FILE* errors = std::fopen((folder_ / "errors").c_str(), "w+");
    const int status = run_command(arguments, stages, out_, errors);
    std::fclose(errors);
    errors_ = read_file(folder_ / "errors");
    return status;
  }
  void fails(int status, const std::string& message, const std::vector<std::string>& arguments) {
    EXPECT_EQ(run(arguments), status) << errors_;
    EXPECT_NE(errors_.find(message), std::string::npos) << errors_;
    EXPECT_TRUE(errors_.starts_with("hyperllm: error: ") ||
                errors_.find("\nhyperllm: error: ") != std::string::npos)
        << errors_;
    EXPECT_EQ(out_.str(), "") << "errors never go to stdout";
  }
  std::vector<std::string> train(const std::vector<std::string>& more) {
    put("d/extract.txt", "e");
    std::vector<std::string> arguments = {"train", "--dataset", (folder_ / "d").string(), "--output",
                                          (folder_ / "o").string()};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  }
  bool without_train_ = false;
  test::Log log_;
  std::ostringstream out_;
  std::string errors_;
};

TEST_F(CliTest, FlagsReachTheOptionsAndAManifestIsWritten) {
  EXPECT_EQ(run(train({"--model", "ease", "--epochs=7", "--rate", "-1", "--no-shuffle", "--threads", "2"})),
            0)
      << errors_;
  EXPECT_EQ(num_threads(), 2);
  EXPECT_EQ(read_file(folder_ / "o/train.txt"), "etrainease7/0");
  const std::string manifest = read_file(folder_ / "o/train.manifest.json");
  for (const char* part : {"\"epochs\": \"7\"", "\"rate\": \"-1\"", "\"shuffle\": \"false\"", "extract.txt"})
    EXPECT_NE(manifest.find(part), std::string::npos) << part;
  EXPECT_EQ(manifest.find("resume"), std::string::npos);
}

TEST_F(CliTest, HelpListsFlagsDefaultsAndChoices) {
  EXPECT_EQ(run({"train", "--help"}), 0);
  for (const char* part : {"--model", "one of popular, ease", "--model TEXT=popular", "--epochs N=1",
                           "--shuffle, --no-shuffle=true"})
    EXPECT_NE(out_.str().find(part), std::string::npos) << part << " in\n" << out_.str();
  EXPECT_EQ(run({"--help"}), 0);
  for (const char* part : {"prepare", "Made-up train", "run", "--threads"})
    EXPECT_NE(out_.str().find(part), std::string::npos) << part;
  EXPECT_EQ(run({"--version"}), 0);
  EXPECT_TRUE(out_.str().starts_with("hyperllm "));
}

TEST_F(CliTest, UsageErrorsAreStatusTwoAndSuggest) {
  fails(2, "unknown option '--epocs'; did you mean '--epochs'?", {"train", "--epocs", "3"});
  fails(2, "unknown option '--epocs'", {"train", "--epocs=3"});
  fails(2, "did you mean 'train'?", {"trian"});
  fails(2, "hyperllm train --help", train({"stray"}));
  fails(2, "option 'epochs': expected a whole number, got 'x'", {"train", "--epochs", "x"});
  fails(2, "one of popular, ease, got 'eese'", {"train", "--model", "eese"});
  fails(2, "which command?", {});
  fails(2, "recipe", {"run"});
  const std::string processors = std::to_string(std::thread::hardware_concurrency());
  for (const char* threads : {"-5", "4096", "99999999999"}) {
    fails(2, "threads: expected 0 (all cores) to ", train({"--threads", threads}));
    EXPECT_NE(errors_.find(" on this machine's " + processors + " processors, got " + threads), errors_.npos)
        << errors_;
  }
  EXPECT_TRUE(log_.calls.empty());
}

TEST_F(CliTest, ErrorCodesBecomeExitStatuses) {
  fails(4, "No such file", {"train", "--dataset", (folder_ / "absent").string()});
  fails(4, "r.toml: cannot open", {"run", (folder_ / "r.toml").string()});
  put("r.toml", "[train]\nepohcs = 3\n");
  fails(2, "r.toml:2: [train]: unknown key 'epohcs'; did you mean 'epochs'?",
        {"run", (folder_ / "r.toml").string()});
  for (const auto& [code, status] :
       {std::pair(ErrorCode::kInvalidData, 3), std::pair(ErrorCode::kNonFinite, 5),
        std::pair(ErrorCode::kUnavailable, 6), std::pair(ErrorCode::kInterrupted, 130)}) {
    log_.on_call = [code = code](const auto&, const auto&) { throw Error(code, "because"); };
    fails(status, "because", train({}));
    EXPECT_FALSE(std::filesystem::exists(folder_ / "o/train.manifest.json"));
  }
  log_.on_call = [](const auto&, const auto&) { throw std::bad_alloc(); };
  fails(1, "out of memory", train({}));
  log_.on_call = [](const auto&, const auto&) {
    throw std::filesystem::filesystem_error("status", "locked/r.csv",
                                            std::make_error_code(std::errc::permission_denied));
  };
  fails(4, "locked/r.csv: Permission denied. Check the path", train({}));
}

TEST_F(CliTest, InterruptStopsCleanlyWithStatus130) {
  log_.on_call = [](const std::string&, const Context& context) {
    ::raise(SIGINT);
    for (int i = 0; i < 1000 && !context.stop.stop_requested(); ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    context.check_stop("training");
  };
  fails(130, "training interrupted; run the same command to go on.", train({}));
  EXPECT_NE(errors_.find("stopping at the next safe point"), std::string::npos);
}

TEST_F(CliTest, SecondSignalQuitsAtOnce) {
  ::testing::FLAGS_gtest_death_test_style = "threadsafe";
  ::setenv("TEST_TMPDIR", folder_.c_str(), 1);  // the child, which cannot tidy up, works in here
  log_.on_call = [](const std::string&, const Context&) {
    ::raise(SIGINT);
    ::raise(SIGTERM);
    std::this_thread::sleep_for(std::chrono::seconds(30));
  };
  EXPECT_EXIT(run(train({})), ::testing::ExitedWithCode(130), "");
}

// As in `hyperllm`, where another program has the stage.
class CliWithoutTrainTest : public CliTest {
 protected:
  void SetUp() override {
    CliTest::SetUp();
    without_train_ = true;
    ::testing::FLAGS_gtest_death_test_style = "threadsafe";
    put("source.txt", "raw");
    put("prepares.toml", "[prepare]\nsource = '" + (folder_ / "source.txt").string() + "'\n[extract]\n");
    put("trains.toml", "[runs.ease]\nmodel = 'ease'\n");
    ::setenv("TEST_TMPDIR", folder_.c_str(), 1);
    ::setenv("PATH", ("/nowhere:" + folder_.string() + ":/usr/bin:/bin").c_str(), 1);
  }
  std::string recipe(const char* name) const { return (folder_ / name).string(); }
};

TEST_F(CliWithoutTrainTest, WhatNeedsItSaysWhatToInstall) {
  const std::string remedy =
      "Install the package hyperllm-train; or, from source: apt-get install libtorch-dev";
  fails(6, "`train` needs the program hyperllm-train, which is neither beside hyperllm", train({}));
  fails(6, remedy, {"train", "--help"});
  fails(6, "trains.toml, which trains, needs the program hyperllm-train", {"run", recipe("trains.toml")});
  const std::string output = "output=" + (folder_ / "out").string();
  fails(6, remedy, {"run", recipe("prepares.toml"), "--set", output, "--set", "train.epochs=3"});
  EXPECT_TRUE(log_.calls.empty());
  EXPECT_EQ(run({"run", recipe("prepares.toml"), "--set", output}), 0) << errors_;
  EXPECT_EQ(log_.calls.size(), 2);
  EXPECT_EQ(run({"--help"}), 0);
  EXPECT_NE(out_.str().find("Made-up train"), std::string::npos);
}

TEST_F(CliWithoutTrainTest, TheOtherProgramGetsTheWholeCommandLine) {
  put("hyperllm-train", "#!/bin/sh\necho \"got: $*\" >&2\nexit 7\n");
  fails(6, "needs the program hyperllm-train", train({}));  // a file that nobody may start is none
  std::filesystem::permissions(folder_ / "hyperllm-train", std::filesystem::perms::owner_all);
  const auto exits = ::testing::ExitedWithCode(7);
  EXPECT_EXIT(run({"--threads", "2", "train", "--model", "a b", "--help"}), exits,
              "got: --threads 2 train --model a b --help");
  EXPECT_EXIT(run({"run", recipe("trains.toml"), "-q"}), exits, "got: run .*trains.toml -q");
}

TEST_F(CliTest, RunSetsOverridesAndPrintsTheTableOnStdout) {
  put("source.txt", "raw");
  put("r.toml",
      "threads = 1\n[prepare]\nsource = '" + (folder_ / "source.txt").string() + "'\n[extract]\n[train]\n");
  const std::string output = "output=" + (folder_ / "out").string();
  EXPECT_EQ(run({"run", (folder_ / "r.toml").string(), "--set", output, "--set", "train.epochs=3"}), 0)
      << errors_;
  EXPECT_EQ(out_.str(), "table of 1\n");
  EXPECT_NE(errors_.find("== prepare"), std::string::npos);
  EXPECT_EQ(num_threads(), 1);
  EXPECT_TRUE(read_file(folder_ / "out/runs/r/train.txt").ends_with("3/0"));
  EXPECT_EQ(run({"run", "--quiet", (folder_ / "r.toml").string(), "--set", output, "--set=train.epochs=3"}),
            0);
  EXPECT_EQ(errors_, "");
}

}  // namespace
}  // namespace hyperllm::apps
