#include "hyperllm/apps/search_results.h"

#include <algorithm>
#include <map>
#include <set>

#include "hyperllm/apps/console.h"
#include "hyperllm/apps/recipe_text.h"
#include "hyperllm/base/text_table.h"

namespace hyperllm::apps {
namespace {

using search::TrialRecord;

constexpr std::size_t kShown = 10;

// As many digits as tell any two values apart.
std::string exact(double value) {
  char text[40];
  std::snprintf(text, sizeof text, "%.17g", value);
  return text;
}

const std::string& setting(const SearchedRun& run, std::int64_t trial, const std::string& option) {
  static const std::string kNone;
  for (const auto& [name, value] : run.points[static_cast<std::size_t>(trial)])
    if (name == option) return value;
  return kNone;
}

// Trials with a value, the best first: higher rungs, then higher values, then lower numbers.
std::vector<const TrialRecord*> ranked(const SearchedTrials& results) {
  std::vector<const TrialRecord*> found;
  for (const TrialRecord& trial : results.trials)
    if (!trial.rungs.empty() && trial.problem.empty()) found.push_back(&trial);
  const auto place = [](const TrialRecord* trial) {
    return std::pair(trial->rungs.size(), trial->rungs.back().value);
  };
  std::stable_sort(found.begin(), found.end(),
                   [&](const TrialRecord* a, const TrialRecord* b) { return place(a) > place(b); });
  return found;
}

std::string run_table(const SearchPlan& plan, const SearchedTrials& results) {
  const SearchedRun& run = *results.run;
  std::int64_t failed = 0;
  std::map<std::string, std::int64_t> reasons;
  for (const TrialRecord& trial : results.trials)
    if (!trial.problem.empty()) {
      ++failed;
      ++reasons[trial.problem];
    }
  const std::string& metric = plan.options.metric;
  std::string text = run.run.name + ": " + std::to_string(results.trials.size()) + " of " +
                     std::to_string(run.points.size()) + " trials" +
                     (failed > 0 ? ", " + std::to_string(failed) + " failed" : "") + "; " +
                     (run.has_epochs ? grouped(search::spent_epochs(results.trials)) + " epochs in " : "") +
                     clock_text(search::spent_seconds(results.trials)) + " of training\n";
  TextTable table;
  table.left = 0;
  table.rule = false;
  table.header = {"  trial", metric};
  if (run.has_epochs) table.header.insert(table.header.end(), {"epochs", "best"});
  for (const search::Dimension& dimension : run.space.dimensions()) table.header.push_back(dimension.option);
  const std::vector<const TrialRecord*> best = ranked(results);
  for (std::size_t i = 0; i < std::min(best.size(), kShown); ++i) {
    const search::Reached& reached = best[i]->rungs.back();
    std::vector<TableCell>& row = table.rows.emplace_back();
    row = {std::to_string(best[i]->number + 1), fixed(reached.value, 4)};
    if (run.has_epochs)
      row.insert(row.end(), {std::to_string(reached.epochs), std::to_string(reached.best_epoch)});
    for (const search::Dimension& dimension : run.space.dimensions())
      row.push_back(setting(run, best[i]->number, dimension.option));
  }
  if (!table.rows.empty()) text += format_table(table, TableStyle::kText);
  for (const auto& [reason, times] : reasons)
    text += "  failed, " + std::to_string(times) + ": " + reason + "\n";
  return text;
}

std::string cell(std::string text) {
  for (char& letter : text)
    if (static_cast<unsigned char>(letter) < ' ') letter = ' ';
  return text;
}

}  // namespace

std::string search_table(const SearchPlan& plan, const std::vector<SearchedTrials>& results) {
  std::string text;
  for (const SearchedTrials& run : results) text += (text.empty() ? "" : "\n") + run_table(plan, run);
  return text;
}

std::string trials_tsv(const SearchPlan& plan, const std::vector<SearchedTrials>& results) {
  std::vector<std::string> options, metrics;
  for (const SearchedRun& run : plan.runs)
    for (const search::Dimension& dimension : run.space.dimensions())
      if (std::find(options.begin(), options.end(), dimension.option) == options.end())
        options.push_back(dimension.option);
  std::string text = "run\ttrial\tstate\trung\tepochs\tbest_epoch\trecall@10\trecall@20\tndcg@10\tndcg@20";
  for (const std::string& option : options) text += "\t" + option;
  text += "\tproblem\n";
  for (const SearchedTrials& of : results) {
    const auto best = ranked(of);
    for (const TrialRecord& trial : of.trials) {
      const char* state = !trial.problem.empty()                       ? "failed"
                          : !best.empty() && best.front() == &trial    ? "best"
                          : trial.rungs.size() == of.run->rungs.size() ? "done"
                                                                       : "stopped";
      const search::Reached reached = trial.rungs.empty() ? search::Reached() : trial.rungs.back();
      text += of.run->run.name + "\t" + std::to_string(trial.number + 1) + "\t" + state + "\t" +
              std::to_string(trial.rungs.size()) + "\t" + std::to_string(reached.epochs) + "\t" +
              std::to_string(reached.best_epoch);
      for (const char* name : {"recall@10", "recall@20", "ndcg@10", "ndcg@20"}) {
        const auto found = std::find_if(reached.metrics.begin(), reached.metrics.end(),
                                        [&](const auto& metric) { return metric.first == name; });
        text += "\t" + (found == reached.metrics.end() ? "" : exact(found->second));
      }
      for (const std::string& option : options) text += "\t" + cell(setting(*of.run, trial.number, option));
      text += "\t" + cell(trial.problem) + "\n";
    }
  }
  return text;
}

std::string best_recipe(const Recipe& recipe, const SearchPlan& plan,
                        const std::vector<SearchedTrials>& results, const std::vector<Stage>& stages) {
  Recipe tuned = recipe;
  tuned.name += "-best";
  tuned.output = plan.folder / "best";
  std::string head = "# Made by `hyperllm search`: the best settings on validation, by " +
                     plan.options.metric + ". `hyperllm run` takes it.\n";
  for (const SearchedTrials& of : results) {
    const auto best = ranked(of);
    if (best.empty()) continue;
    head += "# " + of.run->run.name + ": " + trial_name(best.front()->number) + ", " +
            fixed(best.front()->rungs.back().value, 6) + "\n";
    RecipeTable* table = nullptr;
    const std::string own = "runs." + of.run->run.name;
    for (RecipeTable& run : tuned.runs)
      if (run.name == own) table = &run;
    const bool train_is_the_run = tuned.runs.empty() && tuned.models.empty();
    if (!table && train_is_the_run) table = &*tuned.train;
    if (!table) table = &tuned.runs.emplace_back(RecipeTable{own, {}});
    for (const auto& [option, value] : of.run->points[static_cast<std::size_t>(best.front()->number)])
      set_value(*table, option, {RecipeValue::Kind::kUntyped, value, ""});
  }
  return head + "\n" + recipe_text(tuned, stages);
}

}  // namespace hyperllm::apps
