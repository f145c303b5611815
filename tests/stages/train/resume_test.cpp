// A run killed at any moment and started again ends in the files of an undisturbed one.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <map>
#include <thread>

#include "hyperllm/stages/train/run.h"
#include "tests/stages/train/run_files.h"
#include "tests/support/folder.h"
#include "tests/support/planted_dataset.h"

namespace hyperllm::stages::train {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr const char* kFolder = "HYPERLLM_TEST_RUN";

TrainOptions options(const fs::path& folder, const std::string& output) {
  TrainOptions out = test::small_run(folder / "planted", folder / output);
  out.batch_size = 40;
  out.epochs = 15;
  out.set("phase1_epochs", "10");
  out.checkpoint_seconds = 0;
  return out;
}

// Not a test: what the child process below runs.
TEST(DISABLED_Child, Trains) {
  const char* folder = std::getenv(kFolder);
  if (!folder) GTEST_SKIP() << "only for the test below";
  run(options(folder, "killed"), {});
}

pid_t start_child(const fs::path& folder) {
  const pid_t child = ::fork();
  if (child != 0) return child;
  ::setenv(kFolder, folder.c_str(), 1);
  if (!std::freopen("/dev/null", "w", stdout)) ::_exit(126);
  ::execl("/proc/self/exe", "train_test", "--gtest_also_run_disabled_tests",
          "--gtest_filter=DISABLED_Child.Trains", static_cast<char*>(nullptr));
  ::_exit(127);
}

// Waits for the child's first epoch, at most a minute, and then `delay`; false if it ended by itself.
bool kill_later(pid_t child, const fs::path& log, Clock::duration delay) {
  int status = 0;
  for (int i = 0; i < 6000 && !fs::exists(log); ++i) {
    if (::waitpid(child, &status, WNOHANG) == child) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  std::this_thread::sleep_for(delay);
  ::kill(child, SIGKILL);
  ::waitpid(child, &status, 0);
  return WIFSIGNALED(status);
}

// Without the time it took and what a killed writer left behind.
std::map<std::string, std::string> files(const fs::path& run) {
  std::map<std::string, std::string> out;
  for (const auto& entry : fs::recursive_directory_iterator(run)) {
    const std::string name = fs::relative(entry.path(), run).string();
    if (entry.is_regular_file() && name != "timing.json" && name.find(".tmp") == std::string::npos)
      out[name] = read_file(entry.path());
  }
  return out;
}

class KilledTest : public test::FolderTest {};

TEST_F(KilledTest, EndsInTheFilesOfAnUndisturbedRun) {
  test::write_planted_dataset(folder_ / "planted");
  const auto begin = Clock::now();
  run(options(folder_, "calm"), {});
  const auto calm = std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - begin);
  const auto expected = files(folder_ / "calm");
  ASSERT_EQ(expected.size(), 10u);
  Random random(static_cast<std::uint64_t>(::getpid()), "delays");
  int kills = 0;
  for (int round = 0; round < 4; ++round) {
    fs::remove_all(folder_ / "killed");
    for (int attempt = 0; attempt < 2; ++attempt) {
      const auto delay = std::chrono::microseconds(random.below(static_cast<std::uint64_t>(calm.count())));
      kills += kill_later(start_child(folder_), folder_ / "killed" / "phase1.metrics.jsonl", delay);
    }
    run(options(folder_, "killed"), {});
    EXPECT_EQ(files(folder_ / "killed"), expected) << "round " << round;
  }
  EXPECT_GT(kills, 0) << "no child lived long enough to be killed";
}

class PausedTest : public test::FolderTest {};

// Rungs of a search. Validation every fourth epoch, so that no pause adds one.
TEST_F(PausedTest, HoweverOftenItEndsInTheFilesOfAStraightRun) {
  test::write_planted_dataset(folder_ / "planted");
  const auto of = [&](const std::string& output, std::int64_t pause_after) {
    TrainOptions out = options(folder_, output);
    out.eval_every = 4;
    out.pause_after = pause_after;
    return run(out, {});
  };
  EXPECT_FALSE(of("straight", 0).paused);
  for (const std::int64_t pause : {1, 4, 4, 9}) {
    const TrainResult paused = of("paused", pause);
    EXPECT_TRUE(paused.paused);
    EXPECT_EQ(paused.epochs, pause);
    EXPECT_EQ(paused.valid.size(), 4u);
    EXPECT_TRUE(fs::exists(folder_ / "paused/paused.json"));
    EXPECT_FALSE(fs::exists(folder_ / "paused/result.json"));
    EXPECT_TRUE(fs::exists(folder_ / "paused/model"));
    EXPECT_TRUE(fs::exists(folder_ / "paused/unfinished.json")) << "whose model it is";
  }
  const TrainResult ended = of("paused", 15);
  EXPECT_FALSE(ended.paused) << "the pause is the end";
  EXPECT_EQ(ended.checkpoints.back().filename(), "paused.json") << "of no use from now on";
  fs::remove(ended.checkpoints.back());
  EXPECT_EQ(files(folder_ / "paused"), files(folder_ / "straight"));
}

}  // namespace
}  // namespace hyperllm::stages::train
