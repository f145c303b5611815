#include "hyperllm/search/study.h"

#include <gtest/gtest.h>

#include <chrono>
#include <map>
#include <mutex>
#include <thread>

#include "tests/support/folder.h"

namespace hyperllm::search {
namespace {

using hyperllm::test::expect_error;

const Identity kIdentity = {{"metric", "ndcg@20"}, {"hgcf: space of lr", "from 0.1 to 1"}};

class StudyTest : public hyperllm::test::FolderTest {
 protected:
  std::unique_ptr<Study> open(const Identity& identity = kIdentity) const {
    return std::make_unique<Study>(folder_ / "study", identity, "Give another name.");
  }
  const std::vector<RunPlan> runs_ = {{"hgcf", 5, 1, 3, 0, 0}, {"ease", 2, 1, 3, 0, 0}};
};

TEST_F(StudyTest, ClaimsAreDisjointAndResultsComeBackAsTheyWere) {
  const auto one = open(), two = open();
  const auto a = one->claim(runs_), b = two->claim(runs_);
  ASSERT_TRUE(a && b);
  EXPECT_EQ(a->job, (Job{0, 0}));
  EXPECT_EQ(b->job, (Job{1, 0}));
  EXPECT_TRUE(one->others_at_work());
  one->reach(*a, {0.1 + 0.2, 17, 12, 1.5, {{"recall@10", 1.0 / 3}, {"ndcg@20", 0.3}}});
  two->fail(*b, "not finite\tat all");
  EXPECT_FALSE(one->others_at_work());
  const auto trials = open()->trials("hgcf");
  ASSERT_EQ(trials.size(), 2u);
  EXPECT_EQ(trials[0].rungs[0].value, 0.1 + 0.2);
  EXPECT_EQ(trials[0].rungs[0].epochs, 17);
  EXPECT_EQ(trials[0].rungs[0].best_epoch, 12);
  EXPECT_EQ(trials[0].rungs[0].metrics[0], (std::pair<std::string, double>("recall@10", 1.0 / 3)));
  EXPECT_EQ(trials[1].problem, "not finite\tat all");
  EXPECT_EQ(spent_epochs(trials), 17);
  EXPECT_EQ(spent_seconds(trials), 1.5);
}

TEST_F(StudyTest, WhatADeadWorkerLeftIsTakenFirst) {
  const auto alive = open();
  auto dies = open();
  ASSERT_EQ(alive->claim(runs_)->job.trial, 0);
  ASSERT_EQ(dies->claim(runs_)->job.trial, 1);
  ASSERT_EQ(alive->claim(runs_)->job.trial, 2) << "the other lives";
  dies.reset();
  EXPECT_FALSE(alive->others_at_work());
  const auto third = open();
  EXPECT_EQ(third->claim(runs_)->job.trial, 1);
  EXPECT_EQ(alive->claim(runs_)->job.trial, 3) << "it has an owner again";
}

TEST_F(StudyTest, ASpentBudgetEndsARunAndLeavesTheOthers) {
  const auto study = open();
  std::vector<RunPlan> runs = runs_;
  runs[0].epochs = 100;
  runs[1].seconds = 10;
  for (int i = 0; i < 2; ++i) study->reach(*study->claim(runs), {0.5, 60, 50, 1, {}});
  const auto next = study->claim(runs);
  ASSERT_TRUE(next);
  EXPECT_EQ(next->run, "ease");
  study->reach(*next, {0.5, 0, 0, 11, {}});
  EXPECT_FALSE(study->claim(runs)) << "ten seconds are spent";
  runs[0].epochs = 0;
  EXPECT_EQ(study->claim(runs)->run, "hgcf") << "a larger budget goes on";
}

TEST_F(StudyTest, AnotherStudyIsRefusedWithWhatDiffers) {
  open();
  const auto refused = [&](const std::string& words, const Identity& identity) {
    expect_error(ErrorCode::kInvalidData,
                 {"study.sqlite: holds another study: ", words, "Give another name."},
                 [&] { open(identity); });
  };
  refused("metric was ndcg@20, and is recall@10 now", {{"metric", "recall@10"}, kIdentity[1]});
  refused("hgcf: space of lr was from 0.1 to 1, and is nothing now", {kIdentity[0]});
  refused("hgcf: layers was nothing, and is 3 now", {kIdentity[0], kIdentity[1], {"hgcf: layers", "3"}});
  open();
  put("study/study.sqlite", "SQLite this is not");
  expect_error(ErrorCode::kIo, {"not a database of SQLite", "another 'name'"}, [&] { open(); });
}

TEST_F(StudyTest, EightWorkersShareAllTrialsAndNoneIsGivenTwice) {
  const std::vector<RunPlan> runs = {{"a", 60, 3, 3, 0, 0}, {"b", 20, 1, 3, 0, 0}};
  std::map<std::string, int> times;
  std::mutex mutex;
  std::vector<std::thread> workers;
  for (int worker = 0; worker < 8; ++worker)
    workers.emplace_back([&] {
      const auto study = open();
      while (true) {
        const auto claim = study->claim(runs);
        if (!claim && !study->others_at_work()) break;
        if (!claim) {
          std::this_thread::sleep_for(std::chrono::milliseconds(5));
          continue;
        }
        {
          const std::lock_guard lock(mutex);
          ++times[claim->run + std::to_string(claim->job.trial) + "/" + std::to_string(claim->job.rung)];
        }
        const auto value = static_cast<double>((claim->job.trial * 37) % 60);
        study->reach(*claim, {value, 1, 1, 0, {}});
      }
    });
  for (std::thread& worker : workers) worker.join();
  for (const auto& [job, count] : times) EXPECT_EQ(count, 1) << job;
  const auto study = open();
  EXPECT_EQ(study->trials("a").size(), 60u);
  EXPECT_EQ(study->trials("b").size(), 20u);
  const auto standing = standings(study->trials("a"), 60);
  EXPECT_GE(
      std::count_if(standing.begin(), standing.end(), [](const auto& s) { return s.values.size() > 1; }), 20);
  EXPECT_EQ(standing[static_cast<std::size_t>(*winner(standing))].values.size(), 3u);
  int locks = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder_ / "study"))
    locks += entry.path().extension() == ".lock";
  EXPECT_EQ(locks, 1) << "that of the worker that lives";
}

}  // namespace
}  // namespace hyperllm::search
