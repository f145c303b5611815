// What a search leaves for people: a table, a file of all trials, the winner's recipe.
#pragma once

#include <string>
#include <vector>

#include "hyperllm/apps/search_plan.h"

namespace hyperllm::apps {

struct SearchedTrials {
  const SearchedRun* run = nullptr;
  std::vector<search::TrialRecord> trials;  // of its points
};

// The best trials of each run with their settings, what they cost, why others failed.
std::string search_table(const SearchPlan& plan, const std::vector<SearchedTrials>& results);

// One line a trial, by run and number. The same for equal studies: no time is in it.
std::string trials_tsv(const SearchPlan& plan, const std::vector<SearchedTrials>& results);

// The recipe with each run's best settings in the table that wins over all others, and a place of its own for
// the results. Runs without a winner stay as they are.
std::string best_recipe(const Recipe& recipe, const SearchPlan& plan,
                        const std::vector<SearchedTrials>& results, const std::vector<Stage>& stages);

}  // namespace hyperllm::apps
