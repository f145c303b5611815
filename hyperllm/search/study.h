// The store of a search: which trials there are, who works on them, how they ended. Several processes share
// it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "hyperllm/base/lock.h"
#include "hyperllm/search/halving.h"

namespace hyperllm::database {
class Database;
}

namespace hyperllm::search {

// What makes a study this study: names and values of all that decides a trial's result and what is wanted.
using Identity = std::vector<std::pair<std::string, std::string>>;

// A run that is searched.
struct RunPlan {
  std::string name;
  std::int64_t trials = 0;
  std::int64_t rungs = 1, eta = 3;
  // No new job once so much is spent; 0: no limit.
  std::int64_t epochs = 0;
  double seconds = 0;
};

// A trial at a rung.
struct Reached {
  double value = 0;
  std::int64_t epochs = 0, best_epoch = 0;  // since its beginning
  double seconds = 0;                       // since the rung before; not the same twice
  std::vector<std::pair<std::string, double>> metrics;
};

struct TrialRecord {
  std::int64_t number = 0;  // from 0
  bool running = false;     // or was, when its worker died
  std::string problem;      // why it failed; empty: it has not
  std::vector<Reached> rungs;
};

struct Claim {
  std::string run;
  Job job;
};

class Study {
 public:
  // Opens or makes FOLDER/study.sqlite, and joins those that work on it. Throws kInvalidData if it holds
  // another study, naming the first thing that differs; kIo. `remedy`: what to do about another study.
  Study(const std::filesystem::path& folder, const Identity& identity, const std::string& remedy);
  ~Study();
  Study(const Study&) = delete;
  Study& operator=(const Study&) = delete;

  // A job for this worker: what a dead worker left first, then next_job of the first run that has one and
  // whose budget is not spent. No job is given to two living workers. Nothing: there is none now.
  std::optional<Claim> claim(std::span<const RunPlan> runs);
  // True if living workers, this one apart, have jobs: another job may follow from them.
  bool others_at_work();

  // The end of a job of this worker's.
  void reach(const Claim& claim, const Reached& reached);
  void fail(const Claim& claim, const std::string& problem);

  // Trials that have begun, by number.
  std::vector<TrialRecord> trials(const std::string& run);

 private:
  void make_tables();
  void check_identity(const Identity& identity, const std::string& remedy);
  void join();
  bool lives(const std::string& worker) const;
  std::optional<Job> left_by_the_dead(const std::string& run);
  void take(const std::string& run, const Job& job);

  std::filesystem::path folder_;
  std::unique_ptr<database::Database> database_;
  std::string worker_;
  std::optional<FileLock> alive_;
};

// Standings of trials 0 to count - 1.
std::vector<Standing> standings(std::span<const TrialRecord> trials, std::int64_t count);

// Epochs and seconds that trials have taken.
std::int64_t spent_epochs(std::span<const TrialRecord> trials);
double spent_seconds(std::span<const TrialRecord> trials);

}  // namespace hyperllm::search
