#include "hyperllm/search/halving.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <set>

#include "hyperllm/base/random.h"

namespace hyperllm::search {
namespace {

using Epochs = std::vector<std::int64_t>;

TEST(HalvingTest, RungsAreThePartsOfTheWhole) {
  EXPECT_EQ(rung_epochs(135, 5, 3), (Epochs{5, 15, 45, 135}));
  EXPECT_EQ(rung_epochs(500, 5, 3), (Epochs{6, 18, 55, 166, 500}));
  EXPECT_EQ(rung_epochs(16, 4, 2), (Epochs{4, 8, 16}));
  EXPECT_EQ(rung_epochs(7, 5, 3), Epochs{7}) << "too short for two";
  EXPECT_EQ(expected_jobs(64, 4, 3), (Epochs{64, 21, 7, 2}));
}

// Works as `workers` processes would, each job taking as long as its epochs; returns the jobs in the order of
// their ends.
std::vector<Job> simulate(std::vector<Standing>& trials, const Epochs& rungs, std::int64_t eta, int workers,
                          const std::function<double(std::int64_t trial, std::int64_t rung)>& value) {
  std::vector<Job> ended;
  std::vector<std::pair<std::int64_t, Job>> running;  // time of the end
  std::int64_t now = 0;
  while (true) {
    while (std::ssize(running) < workers) {
      const auto job = next_job(trials, std::ssize(rungs), eta);
      if (!job) break;
      Standing& trial = trials[static_cast<std::size_t>(job->trial)];
      EXPECT_FALSE(trial.running);
      EXPECT_EQ(std::ssize(trial.values), job->rung);
      trial.running = true;
      const auto at = static_cast<std::size_t>(job->rung);
      running.emplace_back(now + rungs[at] - (at > 0 ? rungs[at - 1] : 0), *job);
    }
    if (running.empty()) return ended;
    const auto next = std::min_element(running.begin(), running.end(),
                                       [](const auto& a, const auto& b) { return a.first < b.first; });
    const Job job = next->second;
    now = next->first;
    running.erase(next);
    Standing& trial = trials[static_cast<std::size_t>(job.trial)];
    trial.running = false;
    trial.values.push_back(value(job.trial, job.rung));
    ended.push_back(job);
  }
}

TEST(HalvingTest, TheFirstStepsByHand) {
  // The best of three goes on, then the best of four, which is another; of six two may, and have.
  const double values[] = {0.1, 0.5, 0.2, 0.6, 0.3, 0.4};
  std::vector<Standing> trials(6);
  const auto jobs =
      simulate(trials, {1, 3, 9}, 3, 1, [&](std::int64_t trial, std::int64_t) { return values[trial]; });
  EXPECT_EQ(jobs, (std::vector<Job>{{0, 0}, {1, 0}, {2, 0}, {1, 1}, {3, 0}, {3, 1}, {4, 0}, {5, 0}}))
      << "two on the second rung: too few for one to go on";
  EXPECT_EQ(winner(trials), 3);
}

TEST(HalvingTest, ItFindsTheBestAtAPartOfTheEpochsForAnyNumberOfWorkers) {
  constexpr std::int64_t kTrials = 81, kEta = 3;
  const Epochs rungs = {1, 3, 9, 27, 81};
  Random random(5, "objective");
  std::vector<double> quality(kTrials);
  for (double& each : quality) each = random.uniform();
  const auto best = std::max_element(quality.begin(), quality.end()) - quality.begin();
  for (const int workers : {1, 2, 8, 100}) {
    std::vector<Standing> trials(kTrials);
    // Early values are a little wrong: the order among near ones changes from rung to rung.
    const auto jobs = simulate(trials, rungs, kEta, workers, [&](std::int64_t trial, std::int64_t rung) {
      const double noise = Random(9, std::to_string(trial)).uniform(-0.02, 0.02);
      return quality[static_cast<std::size_t>(trial)] + noise / static_cast<double>(rung + 1);
    });
    std::set<std::pair<std::int64_t, std::int64_t>> once;
    std::int64_t epochs = 0;
    for (const Job& job : jobs) {
      EXPECT_TRUE(once.emplace(job.trial, job.rung).second) << "done twice";
      const auto at = static_cast<std::size_t>(job.rung);
      epochs += rungs[at] - (at > 0 ? rungs[at - 1] : 0);
    }
    EXPECT_EQ(winner(trials), best) << workers;
    EXPECT_LT(epochs, kTrials * rungs.back() / 10) << workers;
    // In the end at least the best third of each rung stands on the next.
    for (std::size_t rung = 0; rung + 1 < rungs.size(); ++rung) {
      std::vector<std::pair<double, bool>> at_rung;
      for (const Standing& trial : trials)
        if (trial.values.size() > rung)
          at_rung.emplace_back(trial.values[rung], trial.values.size() > rung + 1);
      std::sort(at_rung.rbegin(), at_rung.rend());
      for (std::size_t i = 0; i < at_rung.size() / kEta; ++i)
        EXPECT_TRUE(at_rung[i].second) << rung << " " << i;
    }
  }
}

TEST(HalvingTest, AFailedTrialCountsAndNeverGoesOn) {
  std::vector<Standing> trials(6);
  trials[0].values = {0.9};
  trials[0].failed = true;  // on the way to the second rung
  trials[1].values = {0.5};
  trials[2].failed = true;  // on the way to the first
  trials[3].values = {0.4};
  trials[4].values = {0.3};
  EXPECT_EQ(next_job(trials, 2, 3), (Job{5, 0})) << "five on the first rung: one may go on, and that failed";
  trials[5].values = {0.2};
  EXPECT_EQ(next_job(trials, 2, 3), (Job{1, 1})) << "six: two may";
  trials[1].running = true;
  EXPECT_EQ(next_job(trials, 2, 3), std::nullopt);
  EXPECT_EQ(winner(trials), 1) << "a failed one never wins";
}

TEST(HalvingTest, WithOneRungTrialsComeInOrder) {
  std::vector<Standing> trials(3);
  EXPECT_EQ(next_job(trials, 1, 3), (Job{0, 0}));
  trials[0].running = true;
  trials[1].values = {0.5};
  EXPECT_EQ(next_job(trials, 1, 3), (Job{2, 0}));
  trials[2].values = {0.5};
  EXPECT_EQ(next_job(trials, 1, 3), std::nullopt);
  EXPECT_EQ(winner(trials), 1) << "ties go to the earlier trial";
  EXPECT_EQ(winner(std::vector<Standing>(2)), std::nullopt);
}

}  // namespace
}  // namespace hyperllm::search
