// What a recipe's [search] asks for, checked whole before any work.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "hyperllm/apps/plan.h"
#include "hyperllm/search/options.h"
#include "hyperllm/search/space.h"
#include "hyperllm/search/study.h"

namespace hyperllm::apps {

struct SearchedRun {
  Run run;
  search::Space space;
  std::vector<search::Settings> points;  // one a trial
  std::vector<std::int64_t> rungs;       // epochs at which they end
  bool has_epochs = true;
};

struct SearchPlan {
  search::SearchOptions options;
  std::filesystem::path folder;
  std::vector<SearchedRun> runs;
  // All that decides a trial's result, the data apart.
  search::Identity identity;
};

// Throws kInvalidArgument, naming file, line and table: a recipe without [search] or one that plan_recipe
// refuses, an unknown key, run, option or value, a space that no run has, an option that is not the run's or
// decides nothing, a range upside down, a grid of ranges or of more points than `trials`, rungs without a
// validation.
SearchPlan plan_search(const Recipe& recipe, const std::vector<Stage>& stages);

// "trial-007", of trial 6.
std::string trial_name(std::int64_t trial);
std::filesystem::path trial_folder(const SearchPlan& plan, const SearchedRun& run, std::int64_t trial);
// Training of the trial: to its end, for the plan says nothing of rungs here.
Step trial_step(const Recipe& recipe, const SearchPlan& plan, const SearchedRun& run, std::int64_t trial,
                const std::vector<Stage>& stages);

// Hashes of what the trials read. The dataset must be there.
search::Identity data_identity(const Recipe& recipe, const SearchPlan& plan,
                               const std::vector<Stage>& stages);

}  // namespace hyperllm::apps
