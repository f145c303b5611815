#include "hyperllm/apps/search.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <map>
#include <new>
#include <optional>
#include <ostream>
#include <sstream>
#include <thread>

#include "hyperllm/apps/pipeline.h"
#include "hyperllm/apps/search_results.h"
#include "hyperllm/base/error.h"
#include "hyperllm/base/json.h"
#include "hyperllm/base/lock.h"
#include "hyperllm/base/text_table.h"
#include "hyperllm/metrics/evaluation_files.h"

namespace hyperllm::apps {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kWait{200};  // between looks at what others do
constexpr const char* kMetrics[] = {"recall@10", "recall@20", "ndcg@10", "ndcg@20"};

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// The trial's own progress becomes a note on that of the search.
class TrialSink : public Sink {
 public:
  using Show = std::function<void(const std::string& note, double part)>;
  TrialSink(const Context& context, std::string trial, Show show)
      : context_(context), trial_(std::move(trial)), show_(std::move(show)) {}

  void message(Level level, std::string_view text) override {
    context_.sink->message(level == Level::kWarning ? level : Level::kDebug,
                           trial_ + ": " + std::string(text));
  }
  void progress(std::string_view task, std::int64_t done, std::int64_t total, double, double,
                std::string_view, bool) override {
    show_(trial_ + " " + std::string(task) + " " + std::to_string(done) + "/" + std::to_string(total),
          total > 0 ? static_cast<double>(done) / static_cast<double>(total) : 0);
  }

 private:
  const Context& context_;
  std::string trial_;
  Show show_;
};

class Searcher {
 public:
  Searcher(const Recipe& recipe, const std::vector<Stage>& stages, const Context& context, std::ostream& out)
      : recipe_(recipe), stages_(stages), context_(context), out_(out), plan_(plan_search(recipe, stages)) {}

  void go() {
    prepare();
    for (const SearchedRun& run : plan_.runs) {
      const auto trials = std::ssize(run.points), rungs = std::ssize(run.rungs);
      budgets_.push_back(
          {run.run.name, trials, rungs, plan_.options.eta, plan_.options.epochs, 60 * plan_.options.minutes});
      const auto jobs = search::expected_jobs(trials, rungs, plan_.options.eta);
      for (std::int64_t rung = 0; rung < rungs; ++rung) {
        jobs_ += jobs[static_cast<std::size_t>(rung)];
        work_ += static_cast<double>(jobs[static_cast<std::size_t>(rung)]) * weight(run, rung);
      }
    }
    count_done();
    work_before_ = work_done_;
    while (true) {
      context_.check_stop("search");
      if (const auto claim = study_->claim(budgets_)) {
        work_on(*claim);
      } else if (study_->others_at_work()) {
        show("waiting for trials of other workers", 0);
        std::this_thread::sleep_for(kWait);
      } else {
        break;
      }
      count_done();
    }
    show("", 0, true);
    write();
  }

 private:
  // One process makes the dataset, the others wait for it.
  void prepare() {
    std::optional<FileLock> lock;
    bool told = false;
    make_folder(plan_.folder);
    while (!lock) {
      context_.check_stop("search");
      try {
        lock.emplace(plan_.folder / "prepare.lock", "another search prepares", "");
      } catch (const Error& error) {
        if (error.code() != ErrorCode::kUnavailable) throw;
        if (!told) context_.info("search: waits for another worker that prepares the dataset");
        told = true;
        std::this_thread::sleep_for(kWait);
      }
    }
    std::vector<Step> steps = plan_preparation(recipe_, stages_);
    run_steps(steps, context_, out_);
    const search::Identity data = data_identity(recipe_, plan_, stages_);
    plan_.identity.insert(plan_.identity.end(), data.begin(), data.end());
    study_.emplace(plan_.folder, plan_.identity,
                   "Give [search] another 'name' for a study beside it, or remove the folder.");
  }

  static double weight(const SearchedRun& run, std::int64_t rung) {
    const auto at = static_cast<std::size_t>(rung);
    return static_cast<double>(run.rungs[at] - (rung > 0 ? run.rungs[at - 1] : 0));
  }

  const SearchedRun& run_called(const std::string& name) const {
    return *std::find_if(plan_.runs.begin(), plan_.runs.end(),
                         [&](const SearchedRun& run) { return run.run.name == name; });
  }

  void count_done() {
    jobs_done_ = 0;
    work_done_ = 0;
    best_.clear();
    for (const SearchedRun& run : plan_.runs) {
      const auto trials = study_->trials(run.run.name);
      for (const search::TrialRecord& trial : trials) {
        jobs_done_ += std::ssize(trial.rungs) + (trial.problem.empty() ? 0 : 1);
        for (std::int64_t rung = 0; rung < std::ssize(trial.rungs); ++rung) work_done_ += weight(run, rung);
      }
      const auto standings = search::standings(trials, std::ssize(run.points));
      if (const auto winner = search::winner(standings))
        best_[run.run.name] = {*winner, standings[static_cast<std::size_t>(*winner)].values.back()};
    }
  }

  std::string best_text(const std::string& run) const {
    const auto found = best_.find(run);
    if (found == best_.end()) return "";
    return "best " + plan_.options.metric + " " + fixed(found->second.second, 4) + " (" +
           trial_name(found->second.first) + ")";
  }

  // `part`: of the running job that is done.
  void show(const std::string& note, double part, bool last = false) {
    const double elapsed = seconds_since(began_), done = work_done_ - work_before_ + part * running_;
    const double rate = elapsed > 0 ? done / elapsed : 0;
    const double eta = rate > 0 ? std::max(0.0, work_ - work_before_ - done) / rate : -1;
    context_.sink->progress("search", jobs_done_, std::max(jobs_, jobs_done_),
                            elapsed > 0 ? static_cast<double>(jobs_here_) / elapsed : 0, eta, note, last);
  }

  void work_on(const search::Claim& claim) {
    const SearchedRun& run = run_called(claim.run);
    const std::string name = run.run.name + "/" + trial_name(claim.job.trial);
    running_ = weight(run, claim.job.rung);
    TrialSink sink(context_, name, [&](const std::string& note, double part) {
      const std::string best = best_text(claim.run);
      show(best.empty() ? note : best + ", " + note, part);
    });
    try {
      const search::Reached reached = train(run, claim.job, Context{&sink, context_.stop});
      study_->reach(claim, reached);
      context_.info(name + ": " + plan_.options.metric + " " + fixed(reached.value, 4) +
                    (run.has_epochs ? " after " + std::to_string(reached.epochs) + " epochs" : ""));
    } catch (const Error& error) {
      if (error.code() == ErrorCode::kInterrupted) context_.check_stop("search");
      const bool its_fault =
          error.code() == ErrorCode::kNonFinite || error.code() == ErrorCode::kInvalidArgument;
      if (!its_fault) throw Error(error.code(), name + ": " + error.what());
      fail(claim, name, error.what());
    } catch (const std::bad_alloc&) {
      fail(claim, name, "out of memory");
    }
    ++jobs_here_;
    running_ = 0;
  }

  void fail(const search::Claim& claim, const std::string& name, const std::string& problem) {
    study_->fail(claim, problem);
    context_.warn(name + " failed: " + problem);
  }

  search::Reached train(const SearchedRun& run, const search::Job& job, const Context& context) {
    const Clock::time_point start = Clock::now();
    Step step = trial_step(recipe_, plan_, run, job.trial, stages_);
    if (job.rung + 1 < std::ssize(run.rungs))
      assign_field(find_field(step.call->fields(), "pause_after", "train"),
                   std::to_string(run.rungs[static_cast<std::size_t>(job.rung)]));
    std::ostringstream unread;
    if (!is_up_to_date(step.stage, *step.call)) run_stage(step.stage, *step.call, context, unread);
    const fs::path folder = trial_folder(plan_, run, job.trial);
    const bool paused = step.call->manifest().empty();
    search::Reached reached = described(folder / (paused ? "paused.json" : "result.json"));
    if (reached.metrics.empty()) reached.metrics = validated(folder, context);
    for (const auto& [name, value] : reached.metrics)
      if (name == plan_.options.metric || plan_.options.metric == "score") reached.value += value;
    HYPERLLM_CHECK(std::isfinite(reached.value), ErrorCode::kNonFinite,
                   plan_.options.metric + " on validation is not finite");
    reached.seconds = seconds_since(start);
    return reached;
  }

  // What training says of itself, at its end or where it paused.
  static search::Reached described(const fs::path& file) {
    const auto json = parse_json<nlohmann::ordered_json>(read_file(file));
    search::Reached reached;
    try {
      reached.epochs = json.value("epochs", std::int64_t{0});
      reached.best_epoch = json.value("best_epoch", std::int64_t{0});
      if (json.contains("valid"))
        for (const char* name : kMetrics) reached.metrics.emplace_back(name, json.at("valid").at(name));
    } catch (const nlohmann::json::exception& error) {
      throw data_error(file.string(), 0, "", error.what(), "Remove the trial's folder; it is trained again.");
    }
    return reached;
  }

  // A baseline's training does not validate.
  std::vector<std::pair<std::string, double>> validated(const fs::path& folder, const Context& context) {
    const auto call = find_stage(stages_, "evaluate").make();
    const FieldList fields = call->fields();
    const std::pair<const char*, std::string> told[] = {{"dataset", recipe_.dataset.string()},
                                                        {"run", folder.string()},
                                                        {"split", "valid"},
                                                        {"ks", "10,20"},
                                                        {"metrics", "recall,ndcg"}};
    for (const auto& [name, text] : told) assign_field(find_field(fields, name, "evaluate"), text);
    std::ostringstream unread;
    if (!is_up_to_date("evaluate", *call)) run_stage("evaluate", *call, context, unread);
    return metrics::load_evaluation(metrics::evaluation_path(folder, "valid")).metrics;
  }

  void write() {
    std::vector<SearchedTrials> results;
    for (const SearchedRun& run : plan_.runs) {
      results.push_back({&run, study_->trials(run.run.name)});
      // An earlier call may have had more.
      std::erase_if(results.back().trials,
                    [&](const search::TrialRecord& trial) { return trial.number >= std::ssize(run.points); });
    }
    const fs::path all = plan_.folder / "trials.tsv", best = plan_.folder / "best.toml";
    write_file(all, trials_tsv(plan_, results));
    out_ << search_table(plan_, results);
    HYPERLLM_CHECK(
        !best_.empty(), ErrorCode::kNonFinite,
        "search: no trial ended well; " + all.string() +
            " says why. Change the space; with another 'name' in [search] it is a study of its own.");
    write_file(best, best_recipe(recipe_, plan_, results, stages_));
    out_ << "\nThe best as a recipe: hyperllm run " << best.string() << "\n";
  }

  const Recipe& recipe_;
  const std::vector<Stage>& stages_;
  const Context& context_;
  std::ostream& out_;
  SearchPlan plan_;
  std::optional<search::Study> study_;
  std::vector<search::RunPlan> budgets_;
  std::map<std::string, std::pair<std::int64_t, double>> best_;  // trial and value by run
  const Clock::time_point began_ = Clock::now();
  std::int64_t jobs_ = 0, jobs_done_ = 0, jobs_here_ = 0;
  double work_ = 0, work_done_ = 0, work_before_ = 0, running_ = 0;  // in epochs
};

}  // namespace

void run_search(const Recipe& recipe, const std::vector<Stage>& stages, const Context& context,
                std::ostream& out) {
  Searcher(recipe, stages, context, out).go();
}

}  // namespace hyperllm::apps
