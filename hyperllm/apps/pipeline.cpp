#include "hyperllm/apps/pipeline.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <set>

#include "hyperllm/apps/console.h"
#include "hyperllm/base/error.h"

namespace hyperllm::apps {
namespace {

// Option names whose values follow from the recipe's top level.
using Layout = std::map<std::string, std::string>;

struct Step {
  std::string stage;
  std::string title;
  std::unique_ptr<StageCall> call;
};

class Planner {
 public:
  Planner(const Recipe& recipe, const std::vector<Stage>& stages) : recipe_(recipe), stages_(stages) {}

  std::vector<Step> plan() {
    const std::string dataset = recipe_.dataset.string();
    if (recipe_.prepare) add("prepare", "prepare", {{"output", dataset}}, {&*recipe_.prepare});
    if (recipe_.extract) add("extract", "extract", {{"dataset", dataset}}, {&*recipe_.extract});
    for (const RecipeTable& embed : recipe_.embed) add("embed", "embed", {{"dataset", dataset}}, {&embed});
    for (const auto& [name, table] : runs()) {
      if (recipe_.seeds.empty()) add_run(name, table, {});
      for (const std::int64_t seed : recipe_.seeds)
        add_run(name + "/seed-" + std::to_string(seed), table, {{"seed", std::to_string(seed)}});
    }
    refuse_what_no_run_uses();
    if (!folders_.empty()) add("report", "report", {{"runs", folders_}}, {});
    return std::move(steps_);
  }

 private:
  using Tables = std::vector<const RecipeTable*>;

  const RecipeTable* train() const { return recipe_.train ? &*recipe_.train : nullptr; }
  const RecipeTable* evaluate() const { return recipe_.evaluate ? &*recipe_.evaluate : nullptr; }

  // [train] alone is one run with the recipe's name.
  std::vector<std::pair<std::string, const RecipeTable*>> runs() const {
    std::vector<std::pair<std::string, const RecipeTable*>> runs;
    for (const RecipeTable& table : recipe_.runs)
      runs.emplace_back(table.name.substr(sizeof "runs." - 1), &table);
    if (runs.empty() && recipe_.train) runs.emplace_back(recipe_.name, nullptr);
    return runs;
  }

  void add_run(const std::string& name, const RecipeTable* table, Layout layout) {
    const std::string dataset = recipe_.dataset.string(), folder = run_folder(recipe_, name).string();
    layout.insert({{"dataset", dataset}, {"output", folder}});
    add("train", "train " + name, layout, {train(), table});
    add("evaluate", "evaluate " + name, {{"dataset", dataset}, {"run", folder}}, {evaluate()});
    folders_ += (folders_.empty() ? "" : ",") + escape_entry(folder);
  }

  void add(const std::string& stage, std::string title, const Layout& layout, const Tables& tables) {
    Step step{stage, std::move(title), find_stage(stages_, stage).make()};
    const FieldList fields = step.call->fields();
    for (const RecipeTable* table : tables) {
      if (!table) continue;
      refuse_layout(*table, layout);
      assign_table(*table, fields);
    }
    for (const auto& [name, text] : layout) assign_field(find_field(fields, name, stage), text);
    if (tables.size() == 2 && tables[0]) leave_out(*tables[0], tables[1], fields);
    check_owners_of(step.title, fields);
    const std::filesystem::path manifest = step.call->manifest();
    HYPERLLM_CHECK(manifest.empty() || manifests_.insert(manifest).second, ErrorCode::kInvalidArgument,
                   twice(step.title, manifest.parent_path()));
    steps_.push_back(std::move(step));
  }

  static std::string twice(const std::string& title, const std::filesystem::path& folder) {
    return "the recipe asks for '" + title + "' twice, with results in " + folder.string() +
           ". Give each [[embed]] a name of its own, and each seed once.";
  }

  // What all runs share may be of a model or an objective that only some of them have. What a run's own table
  // says is meant for that run.
  void leave_out(const RecipeTable& shared, const RecipeTable* own, const FieldList& fields) {
    for (const auto& [key, value] : shared.values) {
      const Field& field = find_field(fields, key, shared.name);
      if (!field.owner) continue;
      const bool own_too = own && std::any_of(own->values.begin(), own->values.end(),
                                              [&](const auto& entry) { return entry.first == field.name; });
      if (!shared_.contains(key)) shared_[key] = {field.owner->kind, field.owner->name, value.where};
      if (counts(field, fields))
        shared_[key].unused = false;
      else if (!own_too)
        assign_field(field, field.owner->untouched);
    }
  }

  void refuse_what_no_run_uses() const {
    for (const auto& [key, shared] : shared_)
      HYPERLLM_CHECK(!shared.unused, ErrorCode::kInvalidArgument,
                     shared.where + ": [train]: option '" + key + "' belongs to the " + shared.kind + " " +
                         shared.owner + ", which no run uses; leave it out.");
  }

  // Before any work, not when the step's turn has come.
  static void check_owners_of(const std::string& title, const FieldList& fields) {
    try {
      check_owners(fields);
    } catch (const Error& error) {
      throw Error(error.code(), title + ": " + error.what());
    }
  }

  static void refuse_layout(const RecipeTable& table, const Layout& layout) {
    for (const auto& [key, value] : table.values)
      HYPERLLM_CHECK(!layout.contains(key), ErrorCode::kInvalidArgument,
                     value.where + ": [" + table.name + "]: '" + key +
                         "' follows from the top of the recipe; set 'output', 'dataset' or 'seeds' there.");
  }

  const Recipe& recipe_;
  const std::vector<Stage>& stages_;
  std::vector<Step> steps_;
  std::set<std::filesystem::path> manifests_;
  std::string folders_;
  struct Shared {
    std::string kind, owner, where;
    bool unused = true;
  };
  std::map<std::string, Shared> shared_;  // options of [train] that somebody owns
};

void run_step(Step& step, const Context& context, std::ostream& out) {
  using Clock = std::chrono::steady_clock;
  const auto start = Clock::now();
  context.info("== " + step.title);
  run_stage(step.stage, *step.call, context, out);
  const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
  if (!step.call->manifest().empty()) context.info("   done in " + clock_text(seconds));
}

}  // namespace

std::filesystem::path run_folder(const Recipe& recipe, const std::string& run) {
  return recipe.output / "runs" / run;
}

void run_recipe(const Recipe& recipe, const std::vector<Stage>& stages, const Context& context,
                std::ostream& out) {
  std::vector<Step> steps = Planner(recipe, stages).plan();
  HYPERLLM_CHECK(!steps.empty(), ErrorCode::kInvalidArgument,
                 "the recipe asks for nothing: give it [prepare], [train] or [runs.NAME] (docs/recipes.md).");
  for (Step& step : steps) {
    context.check_stop("run");
    if (is_up_to_date(step.stage, *step.call))
      context.info("== " + step.title + ": up to date");
    else
      run_step(step, context, out);
  }
}

}  // namespace hyperllm::apps
