// From a recipe to calls of stages with all their options, each checked.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "hyperllm/apps/recipe.h"
#include "hyperllm/apps/stage.h"

namespace hyperllm::apps {

struct Step {
  std::string stage;
  std::string title;
  std::unique_ptr<StageCall> call;
};

// A run's tables, from what many share to what is its own. The last one is the run's own table, perhaps null.
struct Run {
  std::string name;
  std::vector<const RecipeTable*> tables;
  std::vector<std::int64_t> seeds;  // empty: once, with its own seed
};

// Where a recipe's files go: the dataset folder, and OUTPUT/runs/NAME for each of its runs.
std::filesystem::path run_folder(const Recipe& recipe, const std::string& run);

// [runs.NAME] as they stand, and before them a run for each pair of [models.NAME] and [variants.NAME]. They
// point into the recipe.
std::vector<Run> runs_of(const Recipe& recipe);

// All steps: prepare, extract, each embed, for each run that `only` wants (run_recipe says how) train and
// evaluate, at last report. Throws kInvalidArgument for a mistake anywhere in the recipe.
std::vector<Step> plan_recipe(const Recipe& recipe, const std::vector<std::string>& only,
                              const std::vector<Stage>& stages);

// Those of them that runs share: prepare, extract, each embed.
std::vector<Step> plan_preparation(const Recipe& recipe, const std::vector<Stage>& stages);

// Training of the run into `folder`, with its first seed, and with `settings` above what its tables say.
// Throws as plan_recipe does.
Step plan_trial(const Recipe& recipe, const Run& run, const RecipeTable& settings,
                const std::filesystem::path& folder, const std::string& title,
                const std::vector<Stage>& stages);

}  // namespace hyperllm::apps
