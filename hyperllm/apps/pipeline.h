// `hyperllm run`: every stage of a recipe in order, skipping what is up to date.
#pragma once

#include <iosfwd>
#include <string>
#include <vector>

#include "hyperllm/apps/plan.h"
#include "hyperllm/base/progress.h"

namespace hyperllm::apps {

// Runs the steps in order, those apart that are up to date; results go to `out`. Throws whatever a stage
// throws.
void run_steps(std::vector<Step>& steps, const Context& context, std::ostream& out);

// True if the recipe asks for models.
bool trains(const Recipe& recipe);

// Builds every call first, so that a mistake anywhere in the recipe is told before any work is done; then
// prepare, extract, each embed, and for each run train and evaluate; at last report, to `out`. `only`: walks
// through those runs alone whose name, or name/seed-N, is one of these patterns of the shell ('hrcf-*');
// empty: all. `stages` must have those of these names that the recipe needs. Throws kInvalidArgument for a
// pattern that no run has, and whatever a stage throws.
void run_recipe(const Recipe& recipe, const std::vector<std::string>& only, const std::vector<Stage>& stages,
                const Context& context, std::ostream& out);

}  // namespace hyperllm::apps
