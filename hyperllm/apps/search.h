// `hyperllm search`: trials of a recipe's runs, judged on validation; docs/experiments.md is the user's
// description.
#pragma once

#include <iosfwd>
#include <vector>

#include "hyperllm/apps/recipe.h"
#include "hyperllm/apps/stage.h"
#include "hyperllm/base/progress.h"

namespace hyperllm::apps {

// Checks [search] whole, prepares the dataset as run_recipe does, and works on the study until nothing is
// left to do: alone, or beside others of the same call. Then writes below OUTPUT/search/NAME
//
//   RUN/trial-NNN/   of each trial what `train` wrote
//   trials.tsv       every trial with its settings, epochs and validation metrics
//   best.toml        the recipe with the best settings of each run
//
// and a table to `out`. Nothing is evaluated on the test split. The same call goes on where it stopped.
// Throws what plan_search and Study throw, kInterrupted, and what hinders a trial without being its fault
// (kIo, kInvalidData, kUnavailable), and kNonFinite if no trial ended well; a trial that fails otherwise is
// recorded, with a warning.
void run_search(const Recipe& recipe, const std::vector<Stage>& stages, const Context& context,
                std::ostream& out);

}  // namespace hyperllm::apps
