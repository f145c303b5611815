#include "hyperllm/apps/search_plan.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "hyperllm/base/error.h"
#include "hyperllm/base/hash.h"

namespace hyperllm::apps {
namespace {

constexpr const char* kShared = "search.space";
constexpr const char* kOwn = "search.spaces.";  // and the run's name
constexpr std::int64_t kDefaultTrials = 64;

[[noreturn]] void refuse(const std::string& where, const std::string& problem) {
  throw Error(ErrorCode::kInvalidArgument, where + ": " + problem);
}

bool is_number(const Field& field) {
  return std::holds_alternative<std::int64_t*>(field.target) || std::holds_alternative<double*>(field.target);
}

// The choice as a dimension; its values are assigned to `fields`, which refuse what does not fit.
search::Dimension dimension(const RecipeChoice& choice, const std::string& section, const FieldList& fields) {
  search::Dimension result;
  result.option = choice.option;
  result.where = choice.where;
  const Field& field = find_field(fields, choice.option, choice.where);
  if (field.effect != Effect::kResult)
    refuse(choice.where, "'" + choice.option + "' decides no result; leave it out.");
  for (const RecipeValue& value : choice.values) {
    assign_table({section, {{choice.option, value}}}, fields);
    result.values.push_back(value.text);
  }
  if (!choice.range) return result;
  if (!is_number(field)) refuse(choice.where, "'" + choice.option + "' is no number; give a list of values.");
  result.low = result.high = std::numeric_limits<double>::quiet_NaN();
  assign_table(*choice.range, {{"low", &result.low, ""},
                               {"high", &result.high, ""},
                               {"log", &result.log, ""},
                               {"int", &result.whole, ""}});
  result.whole |= std::holds_alternative<std::int64_t*>(field.target);
  if (std::isnan(result.low) || std::isnan(result.high))
    refuse(choice.where, "'" + choice.option + "': a range has both, low and high.");
  for (const auto& [key, value] : choice.range->values)
    if (key == "low" || key == "high") assign_table({section, {{choice.option, value}}}, fields);
  return result;
}

class Planner {
 public:
  Planner(const Recipe& recipe, const std::vector<Stage>& stages) : recipe_(recipe), stages_(stages) {}

  SearchPlan plan() {
    HYPERLLM_CHECK(recipe_.search, ErrorCode::kInvalidArgument,
                   "the recipe has no [search]; docs/experiments.md says what it holds.");
    search::SearchOptions& options = plan_.options;
    assign_table(recipe_.search->options, options.fields());
    plan_.folder = recipe_.output / "search" / options.name;
    HYPERLLM_CHECK(
        !options.name.empty() && options.name.find('/') == options.name.npos && options.name[0] != '.',
        ErrorCode::kInvalidArgument,
        "[search]: 'name' becomes a folder's; it has no '/' and begins "
        "with no point.");
    plan_recipe(recipe_, {}, stages_);  // for its errors
    add_runs();
    refuse_spaces_of_nobody();
    add_identity();
    return std::move(plan_);
  }

 private:
  std::string where(const std::string& key) const {
    for (const auto& [name, value] : recipe_.search->options.values)
      if (name == key) return value.where + ": [search]";
    return "[search]";
  }

  void add_runs() {
    const std::vector<Run> all = runs_of(recipe_);
    HYPERLLM_CHECK(!all.empty(), ErrorCode::kInvalidArgument,
                   "the recipe has no run to search: give it [train] or [runs.NAME] (docs/recipes.md).");
    std::vector<std::string> names;
    for (const Run& run : all) {
      names.push_back(run.name);
      if (const RecipeSpace* space = space_of(run.name)) used_.insert(space->name);
    }
    if (plan_.options.runs.empty()) plan_.options.runs = names;
    std::set<std::string> seen;
    for (const std::string& name : plan_.options.runs) {
      const auto found = std::find(names.begin(), names.end(), name);
      if (found == names.end()) {
        const std::string near = nearest_word(name, names);
        refuse(where("runs"), "the recipe has no run '" + name + "'" +
                                  (near.empty() ? "." : "; did you mean '" + near + "'?"));
      }
      if (!seen.insert(name).second) refuse(where("runs"), "'" + name + "' stands there twice.");
      add_run(all[static_cast<std::size_t>(found - names.begin())]);
    }
  }

  const RecipeSpace* space_of(const std::string& run) const {
    const RecipeSpace* shared = nullptr;
    for (const RecipeSpace& space : recipe_.search->spaces) {
      if (space.name == kOwn + run) return &space;
      if (space.name == kShared) shared = &space;
    }
    return shared;
  }

  void add_run(const Run& run) {
    const RecipeSpace* const tables = space_of(run.name);
    if (!tables)
      refuse("[search]", "no space for the run '" + run.name + "': give [search.space], or [search.spaces." +
                             run.name + "], which may be empty.");
    std::vector<search::Dimension> dimensions;
    {
      const auto scratch = find_stage(stages_, "train").make();
      const FieldList fields = scratch->fields();
      for (const RecipeChoice& choice : tables->choices)
        dimensions.push_back(dimension(choice, tables->name, fields));
    }
    SearchedRun searched{run, search::Space(std::move(dimensions)), {}, {}, true};
    draw(searched);
    std::int64_t epochs = 0, eval_every = 1;
    bool any_epochs = false;
    for (std::int64_t trial = 0; trial < std::ssize(searched.points); ++trial) {
      const Step step = trial_step(recipe_, plan_, searched, trial, stages_);
      any_epochs |= step.call->has_epochs();
      const FieldList fields = step.call->fields();
      if (trial == 0) {
        epochs = number(fields, "epochs");
        eval_every = number(fields, "eval_every");
        note_options(searched, fields);
      }
      if (!step.call->has_epochs()) refuse_what_says_nothing(searched, tables->name, fields);
    }
    searched.has_epochs = any_epochs;
    searched.rungs = {any_epochs ? epochs : 1};
    if (plan_.options.method == "halving" && any_epochs) add_rungs(searched, epochs, eval_every);
    plan_.runs.push_back(std::move(searched));
  }

  static std::int64_t number(const FieldList& fields, const std::string& name) {
    for (const Field& field : fields)
      if (field.name == name) return *std::get<std::int64_t*>(field.target);
    return 1;
  }

  void draw(SearchedRun& run) const {
    const search::SearchOptions& options = plan_.options;
    if (options.method == "grid") {
      run.points = run.space.grid();
      if (options.trials > 0 && options.trials < std::ssize(run.points))
        refuse(where("trials"), "the grid of " + run.run.name + " has " + std::to_string(run.points.size()) +
                                    " points, 'trials' is " + std::to_string(options.trials) +
                                    ". Leave 'trials' out, shorten the lists, or choose the method random.");
      return;
    }
    run.points = run.space.draw(options.trials > 0 ? options.trials : kDefaultTrials,
                                static_cast<std::uint64_t>(options.seed));
  }

  void add_rungs(SearchedRun& run, std::int64_t epochs, std::int64_t eval_every) const {
    const search::SearchOptions& options = plan_.options;
    for (const search::Dimension& dimension : run.space.dimensions())
      if (dimension.option == "epochs")
        refuse(dimension.where, "'epochs': halving decides on epochs itself; leave it out.");
    if (options.min_epochs < eval_every)
      refuse(where("min_epochs"), "'min_epochs' is " + std::to_string(options.min_epochs) + ", but " +
                                      run.run.name + " validates every " + std::to_string(eval_every) +
                                      " epochs. Give at least that.");
    run.rungs = search::rung_epochs(epochs, options.min_epochs, options.eta);
  }

  // A baseline's training reads its model's own options and the seed.
  static void refuse_what_says_nothing(const SearchedRun& run, const std::string& space,
                                       const FieldList& fields) {
    for (const search::Dimension& dimension : run.space.dimensions()) {
      const Field& field = find_field(fields, dimension.option, dimension.where);
      if (!field.owner && field.name != "seed" && field.name != "model")
        refuse(dimension.where, "'" + field.name + "' says nothing to the run '" + run.run.name +
                                    "', a baseline without epochs." +
                                    (space == kShared ? " Give that run a space of its own: [search.spaces." +
                                                            run.run.name + "]."
                                                      : " Leave it out."));
    }
  }

  void refuse_spaces_of_nobody() const {
    for (const RecipeSpace& space : recipe_.search->spaces) {
      const bool own = space.name.starts_with(kOwn);
      if (used_.contains(space.name)) continue;
      refuse("[" + space.name + "]",
             space.name == kShared ? "each run has a space of its own; leave this one out."
             : own                 ? "the recipe has no run of that name."
                                   : "no such table; a space is [search.space] or [search.spaces.RUN].");
    }
  }

  // The options of the run that its space leaves alone.
  void note_options(const SearchedRun& run, const FieldList& fields) {
    for (const search::Dimension& dimension : run.space.dimensions())
      options_.emplace_back(run.run.name + ": space of " + dimension.option, search::describe(dimension));
    for (const Field& field : result_fields(fields)) {
      const bool searched =
          std::any_of(run.space.dimensions().begin(), run.space.dimensions().end(),
                      [&](const search::Dimension& dimension) { return dimension.option == field.name; });
      if (!searched && field.name != "output" && field.name != "dataset")
        options_.emplace_back(run.run.name + ": " + field.name, field_text(field));
    }
  }

  void add_identity() {
    const search::SearchOptions& options = plan_.options;
    search::Identity& identity = plan_.identity;
    std::string runs;
    for (const std::string& run : options.runs) runs += (runs.empty() ? "" : ", ") + run;
    identity = {{"method", options.method}, {"metric", options.metric}, {"runs", runs}};
    if (options.method != "grid") identity.emplace_back("seed", std::to_string(options.seed));
    if (options.method == "halving") {
      identity.emplace_back("eta", std::to_string(options.eta));
      identity.emplace_back("min_epochs", std::to_string(options.min_epochs));
    }
    identity.insert(identity.end(), options_.begin(), options_.end());
  }

  const Recipe& recipe_;
  const std::vector<Stage>& stages_;
  SearchPlan plan_;
  search::Identity options_;
  std::set<std::string> used_;  // spaces of runs, searched or not
};

}  // namespace

SearchPlan plan_search(const Recipe& recipe, const std::vector<Stage>& stages) {
  return Planner(recipe, stages).plan();
}

std::string trial_name(std::int64_t trial) {
  char text[32];
  std::snprintf(text, sizeof text, "trial-%03lld", static_cast<long long>(trial + 1));
  return text;
}

std::filesystem::path trial_folder(const SearchPlan& plan, const SearchedRun& run, std::int64_t trial) {
  return plan.folder / run.run.name / trial_name(trial);
}

Step trial_step(const Recipe& recipe, const SearchPlan& plan, const SearchedRun& run, std::int64_t trial,
                const std::vector<Stage>& stages) {
  RecipeTable settings;  // without a name: its place says where it stands
  const search::Settings& point = run.points[static_cast<std::size_t>(trial)];
  for (std::size_t i = 0; i < point.size(); ++i)
    settings.values.emplace_back(point[i].first, RecipeValue{RecipeValue::Kind::kUntyped, point[i].second,
                                                             run.space.dimensions()[i].where});
  return plan_trial(recipe, run.run, settings, trial_folder(plan, run, trial),
                    run.run.name + "/" + trial_name(trial), stages);
}

search::Identity data_identity(const Recipe& recipe, const SearchPlan& plan,
                               const std::vector<Stage>& stages) {
  std::set<std::filesystem::path> files;
  for (const SearchedRun& run : plan.runs)
    for (std::int64_t trial = 0; trial < std::ssize(run.points); ++trial)
      for (const auto& file : trial_step(recipe, plan, run, trial, stages).call->reads()) files.insert(file);
  search::Identity identity;
  for (const auto& file : files) identity.emplace_back("content of " + file.string(), hash_file(file));
  return identity;
}

}  // namespace hyperllm::apps
