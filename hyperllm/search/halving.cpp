#include "hyperllm/search/halving.h"

#include <algorithm>

namespace hyperllm::search {
namespace {

// Trials that have a value at the rung, best first.
std::vector<std::int64_t> ranked(std::span<const Standing> trials, std::int64_t rung) {
  std::vector<std::int64_t> found;
  const auto at = static_cast<std::size_t>(rung);
  for (std::size_t trial = 0; trial < trials.size(); ++trial)
    if (trials[trial].values.size() > at) found.push_back(static_cast<std::int64_t>(trial));
  std::stable_sort(found.begin(), found.end(), [&](std::int64_t a, std::int64_t b) {
    return trials[static_cast<std::size_t>(a)].values[at] > trials[static_cast<std::size_t>(b)].values[at];
  });
  return found;
}

}  // namespace

std::vector<std::int64_t> rung_epochs(std::int64_t epochs, std::int64_t min_epochs, std::int64_t eta) {
  std::vector<std::int64_t> rungs = {epochs};
  while (rungs.back() / eta >= std::max<std::int64_t>(min_epochs, 1)) rungs.push_back(rungs.back() / eta);
  std::reverse(rungs.begin(), rungs.end());
  return rungs;
}

std::optional<Job> next_job(std::span<const Standing> trials, std::int64_t rungs, std::int64_t eta) {
  for (std::int64_t rung = rungs - 2; rung >= 0; --rung) {
    const auto lost = std::count_if(trials.begin(), trials.end(), [&](const Standing& trial) {
      return trial.failed && std::ssize(trial.values) == rung;
    });
    const std::vector<std::int64_t> best = ranked(trials, rung);
    const auto promoted = std::min<std::int64_t>((std::ssize(best) + lost) / eta, std::ssize(best));
    for (const std::int64_t trial : std::span(best).first(static_cast<std::size_t>(promoted))) {
      const Standing& standing = trials[static_cast<std::size_t>(trial)];
      const bool went_on = std::ssize(standing.values) > rung + 1 || standing.running || standing.failed;
      if (!went_on) return Job{trial, rung + 1};
    }
  }
  for (std::size_t trial = 0; trial < trials.size(); ++trial) {
    const Standing& standing = trials[trial];
    if (standing.values.empty() && !standing.running && !standing.failed)
      return Job{static_cast<std::int64_t>(trial), 0};
  }
  return std::nullopt;
}

std::optional<std::int64_t> winner(std::span<const Standing> trials) {
  std::optional<std::int64_t> best;
  for (std::int64_t number = 0; number < std::ssize(trials); ++number) {
    const auto at = [&](std::int64_t trial) -> const std::vector<double>& {
      return trials[static_cast<std::size_t>(trial)].values;
    };
    if (trials[static_cast<std::size_t>(number)].failed || at(number).empty()) continue;
    const auto place = [&](std::int64_t trial) { return std::pair(at(trial).size(), at(trial).back()); };
    if (!best || place(number) > place(*best)) best = number;
  }
  return best;
}

std::vector<std::int64_t> expected_jobs(std::int64_t trials, std::int64_t rungs, std::int64_t eta) {
  std::vector<std::int64_t> jobs = {trials};
  while (std::ssize(jobs) < rungs) jobs.push_back(jobs.back() / eta);
  return jobs;
}

}  // namespace hyperllm::search
