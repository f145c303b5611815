#include "hyperllm/search/study.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <map>

#include "hyperllm/base/error.h"
#include "hyperllm/base/files.h"
#include "hyperllm/database/database.h"
#include "hyperllm/search/space.h"

namespace hyperllm::search {
namespace {

using database::Transaction;
using Row = database::Database::Row;

constexpr const char* kStore = "study.sqlite";
constexpr std::string_view kVersion = "1";

template <typename Number>
Number number(std::string_view text) {
  Number value{};
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

// Values are kept as text, which reads back to the same number; columns of numbers would not promise it.
std::string text_of(std::span<const std::pair<std::string, double>> metrics) {
  std::string text;
  for (const auto& [name, value] : metrics)
    text += (text.empty() ? "" : " ") + name + "=" + number_text(value);
  return text;
}

std::vector<std::pair<std::string, double>> metrics_of(std::string_view text) {
  std::vector<std::pair<std::string, double>> metrics;
  while (!text.empty()) {
    const std::string_view one = text.substr(0, text.find(' '));
    const std::size_t equals = one.find('=');
    metrics.emplace_back(one.substr(0, equals), number<double>(one.substr(equals + 1)));
    text.remove_prefix(std::min(text.size(), one.size() + 1));
  }
  return metrics;
}

std::filesystem::path lock_of(const std::filesystem::path& folder, const std::string& worker) {
  return folder / ("worker-" + worker + ".lock");
}

}  // namespace

Study::Study(const std::filesystem::path& folder, const Identity& identity, const std::string& remedy)
    : folder_(folder) {
  make_folder(folder);
  database_ = database::open_sqlite(folder / kStore, database::Access::kShared,
                                    {"store of a search", "Give [search] another 'name'", ""});
  make_tables();
  check_identity(identity, remedy);
  join();
}

Study::~Study() = default;

void Study::make_tables() {
  Transaction transaction(*database_);
  for (const char* sql :
       {"CREATE TABLE IF NOT EXISTS identity (number INTEGER PRIMARY KEY, name TEXT, value TEXT)",
        "CREATE TABLE IF NOT EXISTS workers (id INTEGER PRIMARY KEY AUTOINCREMENT, since TEXT)",
        "CREATE TABLE IF NOT EXISTS trials (run TEXT, number INTEGER, rung INTEGER, state TEXT, worker "
        "INTEGER, "
        "problem TEXT, PRIMARY KEY (run, number))",
        "CREATE TABLE IF NOT EXISTS results (run TEXT, number INTEGER, rung INTEGER, value TEXT, epochs "
        "INTEGER, best_epoch INTEGER, seconds TEXT, metrics TEXT, PRIMARY KEY (run, number, rung))"})
    database_->run(sql);
  transaction.commit();
}

void Study::check_identity(const Identity& identity, const std::string& remedy) {
  Identity wanted = {{"format of the store", std::string(kVersion)}};
  wanted.insert(wanted.end(), identity.begin(), identity.end());
  Transaction transaction(*database_);
  const std::vector<Row> found = database_->run("SELECT name, value FROM identity ORDER BY number");
  const auto refuse = [&](const std::string& what) {
    throw Error(ErrorCode::kInvalidData,
                (folder_ / kStore).string() + ": holds another study: " + what + ". " + remedy);
  };
  if (found.empty()) {
    for (std::size_t i = 0; i < wanted.size(); ++i)
      database_->run("INSERT INTO identity VALUES ($1, $2, $3)",
                     std::array{std::to_string(i), wanted[i].first, wanted[i].second});
    transaction.commit();
    return;
  }
  const std::map<std::string, std::string> now(wanted.begin(), wanted.end());
  for (const Row& row : found) {
    const auto same = now.find(row[0]);
    if (same == now.end()) refuse(row[0] + " was " + row[1] + ", and is nothing now");
    if (same->second != row[1]) refuse(row[0] + " was " + row[1] + ", and is " + same->second + " now");
  }
  if (found.size() != wanted.size())
    for (const auto& [name, value] : wanted)
      if (std::none_of(found.begin(), found.end(), [&](const Row& row) { return row[0] == name; }))
        refuse(name + " was nothing, and is " + value + " now");
}

void Study::join() {
  Transaction transaction(*database_);  // until the lock is held, nobody may look whether it is
  worker_ = database_->run("INSERT INTO workers (since) VALUES (datetime('now')) RETURNING id")[0][0];
  alive_.emplace(lock_of(folder_, worker_), folder_.string() + ": a worker of this number is there", "");
  for (const Row& row : database_->run("SELECT id FROM workers WHERE id <> $1", std::array{worker_}))
    if (!lives(row[0])) remove_leftover(lock_of(folder_, row[0]));
  transaction.commit();
}

bool Study::lives(const std::string& worker) const {
  return worker == worker_ || is_held(lock_of(folder_, worker));
}

std::optional<Job> Study::left_by_the_dead(const std::string& run) {
  for (const Row& row : database_->run(
           "SELECT number, rung, worker FROM trials WHERE run = $1 AND state = 'running' AND worker "
           "<> $2 ORDER BY number",
           std::array{run, worker_}))
    if (!lives(row[2])) return Job{number<std::int64_t>(row[0]), number<std::int64_t>(row[1])};
  return std::nullopt;
}

void Study::take(const std::string& run, const Job& job) {
  database_->run(
      "INSERT INTO trials VALUES ($1, $2, $3, 'running', $4, '') ON CONFLICT (run, number) DO UPDATE SET "
      "rung = "
      "$3, state = 'running', worker = $4",
      std::array{run, std::to_string(job.trial), std::to_string(job.rung), worker_});
}

std::optional<Claim> Study::claim(std::span<const RunPlan> runs) {
  Transaction transaction(*database_);
  std::optional<Claim> claim;
  for (const RunPlan& run : runs) {
    if (claim) break;
    if (const auto job = left_by_the_dead(run.name)) claim = Claim{run.name, *job};
  }
  for (const RunPlan& run : runs) {
    if (claim) break;
    const std::vector<TrialRecord> known = trials(run.name);
    const bool spent = (run.epochs > 0 && spent_epochs(known) >= run.epochs) ||
                       (run.seconds > 0 && spent_seconds(known) >= run.seconds);
    if (spent) continue;
    if (const auto job = next_job(standings(known, run.trials), run.rungs, run.eta))
      claim = Claim{run.name, *job};
  }
  if (claim) take(claim->run, claim->job);
  transaction.commit();
  return claim;
}

bool Study::others_at_work() {
  for (const Row& row : database_->run("SELECT DISTINCT worker FROM trials WHERE state = 'running'"))
    if (row[0] != worker_ && lives(row[0])) return true;
  return false;
}

void Study::reach(const Claim& claim, const Reached& reached) {
  const std::string trial = std::to_string(claim.job.trial), rung = std::to_string(claim.job.rung);
  Transaction transaction(*database_);
  database_->run(
      "INSERT INTO results VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
      std::array{claim.run, trial, rung, number_text(reached.value), std::to_string(reached.epochs),
                 std::to_string(reached.best_epoch), number_text(reached.seconds), text_of(reached.metrics)});
  database_->run("UPDATE trials SET state = 'waiting' WHERE run = $1 AND number = $2",
                 std::array{claim.run, trial});
  transaction.commit();
}

void Study::fail(const Claim& claim, const std::string& problem) {
  database_->run("UPDATE trials SET state = 'failed', problem = $3 WHERE run = $1 AND number = $2",
                 std::array{claim.run, std::to_string(claim.job.trial), problem});
}

std::vector<TrialRecord> Study::trials(const std::string& run) {
  std::vector<TrialRecord> found;
  std::map<std::int64_t, std::size_t> place;
  for (const Row& row : database_->run(
           "SELECT number, state, problem FROM trials WHERE run = $1 ORDER BY number", std::array{run})) {
    TrialRecord trial;
    trial.number = number<std::int64_t>(row[0]);
    trial.running = row[1] == "running";
    trial.problem = row[2];
    place[trial.number] = found.size();
    found.push_back(std::move(trial));
  }
  for (const Row& row : database_->run(
           "SELECT number, value, epochs, best_epoch, seconds, metrics FROM results WHERE run = $1 ORDER BY "
           "number, rung",
           std::array{run}))
    found[place.at(number<std::int64_t>(row[0]))].rungs.push_back(
        {number<double>(row[1]), number<std::int64_t>(row[2]), number<std::int64_t>(row[3]),
         number<double>(row[4]), metrics_of(row[5])});
  return found;
}

std::vector<Standing> standings(std::span<const TrialRecord> trials, std::int64_t count) {
  std::vector<Standing> all(static_cast<std::size_t>(count));
  for (const TrialRecord& trial : trials) {
    if (trial.number >= count) continue;  // of an earlier call with a larger budget
    Standing& standing = all[static_cast<std::size_t>(trial.number)];
    for (const Reached& reached : trial.rungs) standing.values.push_back(reached.value);
    standing.running = trial.running;
    standing.failed = !trial.problem.empty();
  }
  return all;
}

std::int64_t spent_epochs(std::span<const TrialRecord> trials) {
  std::int64_t epochs = 0;
  for (const TrialRecord& trial : trials)
    if (!trial.rungs.empty()) epochs += trial.rungs.back().epochs;
  return epochs;
}

double spent_seconds(std::span<const TrialRecord> trials) {
  double seconds = 0;
  for (const TrialRecord& trial : trials)
    for (const Reached& reached : trial.rungs) seconds += reached.seconds;
  return seconds;
}

}  // namespace hyperllm::search
