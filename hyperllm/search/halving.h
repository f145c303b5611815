// Which trial comes next: asynchronous successive halving (Li et al., "A System for Massively Parallel
// Hyperparameter Tuning", MLSys 2020, algorithm 2). A search without halving has one rung.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace hyperllm::search {

// What is known of one trial of a run.
struct Standing {
  std::vector<double> values;  // of the rungs that it has reached, one each; larger is better
  bool running = false;        // somebody works on the next rung
  bool failed = false;         // it never reaches the next rung
};

struct Job {
  std::int64_t trial = 0;  // from 0
  std::int64_t rung = 0;   // to be reached
  bool operator==(const Job&) const = default;
};

// Epochs at which the rungs end: the whole training, a part `eta` of it, a part of that, ... down to at least
// `min_epochs`; ascending. One rung if the training is too short for two.
std::vector<std::int64_t> rung_epochs(std::int64_t epochs, std::int64_t min_epochs, std::int64_t eta);

// The job that a free worker takes. From the highest rung down: of the trials that stand at a rung or failed
// on the way to it, the best part 1 / eta (rounded down) may go on; the best of those that have not gone on
// yet, if there is one. Else the next trial that has not begun. Nothing: wait for those that run, or, if none
// does, the end. Ties go to the earlier trial. A function of `trials` alone.
std::optional<Job> next_job(std::span<const Standing> trials, std::int64_t rungs, std::int64_t eta);

// Of the trials that have not failed the one that stands best at the highest rung that any of them reached;
// nothing if none has a value.
std::optional<std::int64_t> winner(std::span<const Standing> trials);

// Jobs until the end, as far as can be told before: every trial on the first rung, a part of them on the
// next.
std::vector<std::int64_t> expected_jobs(std::int64_t trials, std::int64_t rungs, std::int64_t eta);

}  // namespace hyperllm::search
