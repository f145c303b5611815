#include "hyperllm/apps/pipeline.h"

#include <chrono>

#include "hyperllm/apps/console.h"
#include "hyperllm/base/error.h"

namespace hyperllm::apps {
namespace {

void run_step(Step& step, const Context& context, std::ostream& out) {
  using Clock = std::chrono::steady_clock;
  const auto start = Clock::now();
  context.info("== " + step.title);
  run_stage(step.stage, *step.call, context, out);
  const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
  if (!step.call->manifest().empty()) context.info("   done in " + clock_text(seconds));
}

}  // namespace

void run_steps(std::vector<Step>& steps, const Context& context, std::ostream& out) {
  for (Step& step : steps) {
    context.check_stop("run");
    if (is_up_to_date(step.stage, *step.call))
      context.info("== " + step.title + ": up to date");
    else
      run_step(step, context, out);
  }
}

bool trains(const Recipe& recipe) {
  return recipe.train || !recipe.runs.empty() || !recipe.models.empty() || !recipe.variants.empty();
}

void run_recipe(const Recipe& recipe, const std::vector<std::string>& only, const std::vector<Stage>& stages,
                const Context& context, std::ostream& out) {
  std::vector<Step> steps = plan_recipe(recipe, only, stages);
  HYPERLLM_CHECK(!steps.empty(), ErrorCode::kInvalidArgument,
                 "the recipe asks for nothing: give it [prepare], [train] or [runs.NAME] (docs/recipes.md).");
  run_steps(steps, context, out);
}

}  // namespace hyperllm::apps
