#include "hyperllm/apps/plan.h"

#include <fnmatch.h>

#include <algorithm>
#include <map>
#include <set>

#include "hyperllm/base/error.h"

namespace hyperllm::apps {
namespace {

// Option names whose values follow from the recipe's top level.
using Layout = std::map<std::string, std::string>;

// [models.NAME], [variants.NAME] and [runs.NAME] may have `seeds` of their own.
bool takes_seeds(const RecipeTable& table) { return table.name.find('.') != std::string::npos; }

// Which runs are wanted.
class Selection {
 public:
  explicit Selection(const std::vector<std::string>& patterns) {
    for (const std::string& pattern : patterns) wanted_.emplace_back(pattern, false);
  }
  bool has(const std::string& run, const std::string& with_seed) {
    names_ += (names_.empty() ? "" : ", ") + with_seed;
    bool found = wanted_.empty();
    for (auto& [pattern, used] : wanted_)
      for (const std::string& name : {run, with_seed})
        if (::fnmatch(pattern.c_str(), name.c_str(), 0) == 0) found = used = true;
    return found;
  }
  void check_all_used() const {
    for (const auto& [pattern, used] : wanted_)
      HYPERLLM_CHECK(used, ErrorCode::kInvalidArgument,
                     "--only '" + pattern + "': the recipe has no such run; it has " + names_ + ".");
  }

 private:
  std::vector<std::pair<std::string, bool>> wanted_;
  std::string names_;
};

class Planner {
 public:
  Planner(const Recipe& recipe, const std::vector<std::string>& only, const std::vector<Stage>& stages)
      : recipe_(recipe), only_(only), stages_(stages) {}

  std::vector<Step> plan() {
    prepare();
    const std::vector<Run> runs = runs_of(recipe_);
    for (const Run& run : runs) later_.insert(run.name);
    for (const Run& run : runs) {
      later_.erase(run.name);
      if (run.seeds.empty()) add_run(run, run.name, {});
      for (const std::int64_t seed : run.seeds)
        add_run(run, run.name + "/seed-" + std::to_string(seed), {{"seed", std::to_string(seed)}});
    }
    only_.check_all_used();
    refuse_what_no_run_uses();
    if (!folders_.empty()) add_report();
    check_needs();
    return std::move(steps_);
  }

  std::vector<Step> plan_preparation() {
    prepare();
    return std::move(steps_);
  }

  Step plan_trial(const Run& run, const RecipeTable& settings, const std::filesystem::path& folder,
                  const std::string& title) {
    prepare();
    Layout layout = {
        {"dataset", recipe_.dataset.string()}, {"output", folder.string()}, {"phase1_store", phase1_store()}};
    if (!run.seeds.empty()) layout["seed"] = std::to_string(run.seeds.front());
    add("train", title, layout, run.tables, &settings);
    check_needs();
    return std::move(steps_.back());
  }

 private:
  using Tables = std::vector<const RecipeTable*>;

  void prepare() {
    const std::string dataset = recipe_.dataset.string();
    if (recipe_.prepare) add("prepare", "prepare", {{"output", dataset}}, {&*recipe_.prepare});
    if (recipe_.extract) add("extract", "extract", {{"dataset", dataset}}, {&*recipe_.extract});
    for (const RecipeTable& embed : recipe_.embed) add("embed", "embed", {{"dataset", dataset}}, {&embed});
  }

  // Runs and trials that have phase 1 in common train it once.
  std::string phase1_store() const { return (recipe_.output / "phase1").string(); }

  // A run that is not wanted is made too: what is wrong with it is told, and what it uses counts.
  void add_run(const Run& run, const std::string& name, Layout layout) {
    const std::string dataset = recipe_.dataset.string(), folder = run_folder(recipe_, name).string();
    layout.insert({{"dataset", dataset}, {"output", folder}});
    const std::size_t before = steps_.size();
    Layout training = layout;
    training.insert({"phase1_store", phase1_store()});
    add("train", "train " + name, training, run.tables);
    add("evaluate", "evaluate " + name, {{"dataset", dataset}, {"run", folder}},
        {recipe_.evaluate ? &*recipe_.evaluate : nullptr});
    made_[run.name].push_back(name);
    if (only_.has(run.name, name))
      folders_ += (folders_.empty() ? "" : ",") + escape_entry(folder);
    else
      steps_.erase(steps_.begin() + static_cast<std::ptrdiff_t>(before), steps_.end());
  }

  // `settings`: what a search tries, above all tables.
  void add(const std::string& stage, std::string title, const Layout& layout, const Tables& tables,
           const RecipeTable* settings = nullptr) {
    Step step{stage, std::move(title), find_stage(stages_, stage).make()};
    const FieldList fields = step.call->fields();
    for (const RecipeTable* table : tables) {
      if (!table) continue;
      refuse_layout(*table, layout);
      assign_table(without_seeds(*table), fields);
    }
    if (settings) {
      refuse_layout(*settings, layout);
      assign_table(*settings, fields);
    }
    for (const auto& [name, text] : layout) assign_field(find_field(fields, name, stage), text);
    for (const std::string& option : step.call->names_runs())
      if (const Field& field = find_field(fields, option, stage); counts(field, fields))
        name_folders(field, stage, step.title, layout);
    for (std::size_t i = 0; i + 1 < tables.size(); ++i)
      if (tables[i]) leave_out(without_seeds(*tables[i]), {tables.back(), settings}, fields);
    check_call(step.title, fields, *step.call);
    const std::filesystem::path manifest = step.call->manifest();
    HYPERLLM_CHECK(manifest.empty() || manifests_.insert(manifest).second, ErrorCode::kInvalidArgument,
                   twice(step.title, manifest.parent_path()));
    steps_.push_back(std::move(step));
  }

  static std::string twice(const std::string& title, const std::filesystem::path& folder) {
    return "the recipe asks for '" + title + "' twice, with results in " + folder.string() +
           ". Give each [[embed]] a name of its own, and each seed once.";
  }

  // Puts the folders of runs in place of their names. Other entries are folders already.
  void name_folders(const Field& field, const std::string& stage, const std::string& title,
                    const Layout& layout) const {
    const auto seed = layout.find("seed");
    const auto replace = [&](const std::string& name) {
      return folder_of(name, stage, title, seed == layout.end() ? "" : "/seed-" + seed->second);
    };
    if (auto* const* names = std::get_if<std::vector<std::string>*>(&field.target))
      for (std::string& name : **names) name = replace(name);
    if (auto* const* name = std::get_if<std::filesystem::path*>(&field.target))
      **name = replace((*name)->string());
  }

  // The report takes the seeds of a run together; others take one: their own, or the only one.
  std::string folder_of(const std::string& name, const std::string& stage, const std::string& title,
                        const std::string& seed) const {
    HYPERLLM_CHECK(
        !later_.contains(name), ErrorCode::kInvalidArgument,
        title + ": uses the run '" + name + "', which stands below it in the recipe; move it above.");
    for (const auto& [run, made] : made_) {
      const auto has = [&](const std::string& one) {
        return std::find(made.begin(), made.end(), one) != made.end();
      };
      if (run == name && stage != "report" && !has(name)) {
        HYPERLLM_CHECK(made.size() == 1 || has(name + seed), ErrorCode::kInvalidArgument,
                       title + ": the run '" + name + "' has several seeds; name one, such as '" + made[0] +
                           "', or give both runs the same.");
        return run_folder(recipe_, has(name + seed) ? name + seed : made[0]).string();
      }
      if (run == name || has(name)) return run_folder(recipe_, name).string();
    }
    return name;
  }

  void add_report() {
    RecipeTable table = recipe_.report ? *recipe_.report : RecipeTable{"report", {}};
    add("report", "report", {{"runs", folders_}}, {&table});
  }

  // What a stage needs is there, or an earlier one makes it.
  void check_needs() const {
    std::set<std::filesystem::path> made;
    for (const Step& step : steps_) {
      for (const Need& need : step.call->needs())
        HYPERLLM_CHECK(made.contains(need.file.lexically_normal()) || std::filesystem::exists(need.file),
                       ErrorCode::kInvalidArgument,
                       step.title + ": needs " + need.file.string() +
                           ", which is not there, and no earlier stage of the recipe makes it. " +
                           need.remedy);
      for (const std::filesystem::path& file : step.call->makes()) made.insert(file.lexically_normal());
    }
  }

  static RecipeTable without_seeds(RecipeTable table) {
    if (takes_seeds(table))
      std::erase_if(table.values, [](const auto& entry) { return entry.first == "seeds"; });
    return table;
  }

  // What runs share may be of a model or an objective that only some of them have. What a run's own table
  // says is meant for that run.
  void leave_out(const RecipeTable& shared, const Tables& own, const FieldList& fields) {
    for (const auto& [key, value] : shared.values) {
      const Field& field = find_field(fields, key, shared.name);
      if (!field.owner) continue;
      const bool own_too = std::any_of(own.begin(), own.end(), [&](const RecipeTable* table) {
        return table && std::any_of(table->values.begin(), table->values.end(),
                                    [&](const auto& entry) { return entry.first == field.name; });
      });
      const auto [entry, is_new] = shared_.try_emplace({shared.name, key});
      if (is_new) entry->second = {field.owner->kind, field.owner->name, value.where};
      if (counts(field, fields))
        entry->second.unused = false;
      else if (!own_too)
        assign_field(field, field.owner->untouched);
    }
  }

  void refuse_what_no_run_uses() const {
    for (const auto& [key, shared] : shared_)
      HYPERLLM_CHECK(!shared.unused, ErrorCode::kInvalidArgument,
                     shared.where + ": [" + key.first + "]: option '" + key.second + "' belongs to the " +
                         shared.kind + " " + shared.owner + ", which no run uses; leave it out.");
  }

  // Before any work, not when the step's turn has come.
  static void check_call(const std::string& title, const FieldList& fields, StageCall& call) {
    try {
      check_owners(fields);
      call.check();
    } catch (const Error& error) {
      throw Error(error.code(), title + ": " + error.what());
    }
  }

  static void refuse_layout(const RecipeTable& table, const Layout& layout) {
    for (const auto& [key, value] : table.values)
      HYPERLLM_CHECK(!layout.contains(key), ErrorCode::kInvalidArgument,
                     value.where + (table.name.empty() ? "" : ": [" + table.name + "]") + ": '" + key +
                         "' follows from the top of the recipe; set 'output', 'dataset' or 'seeds' there.");
  }

  const Recipe& recipe_;
  Selection only_;
  const std::vector<Stage>& stages_;
  std::vector<Step> steps_;
  std::set<std::filesystem::path> manifests_;
  std::string folders_;
  std::map<std::string, std::vector<std::string>> made_;  // NAME or NAME/seed-N of the runs so far, by NAME
  std::set<std::string> later_;                           // names of those below the present one
  struct Shared {
    std::string kind, owner, where;
    bool unused = true;
  };
  std::map<std::pair<std::string, std::string>, Shared> shared_;  // by table and key: what somebody owns
};

}  // namespace

std::filesystem::path run_folder(const Recipe& recipe, const std::string& run) {
  return recipe.output / "runs" / run;
}

std::vector<Run> runs_of(const Recipe& recipe) {
  const auto plain = [](const RecipeTable& table) { return table.name.substr(table.name.find('.') + 1); };
  const RecipeTable* train = recipe.train ? &*recipe.train : nullptr;
  std::vector<Run> runs;
  HYPERLLM_CHECK(
      recipe.models.empty() == recipe.variants.empty(), ErrorCode::kInvalidArgument,
      "the recipe has [models.NAME] or [variants.NAME] alone; a run is made of each pair of them, so "
      "give both");
  for (const RecipeTable& model : recipe.models)
    for (const RecipeTable& variant : recipe.variants)
      runs.push_back({plain(model) + "-" + plain(variant), {train, &model, &variant, nullptr}, {}});
  for (const RecipeTable& table : recipe.runs) {
    const auto pair =
        std::find_if(runs.begin(), runs.end(), [&](const Run& run) { return run.name == plain(table); });
    if (pair == runs.end())
      runs.push_back({plain(table), {train, &table}, {}});
    else
      pair->tables.back() = &table;
  }
  if (runs.empty() && train) runs.push_back({recipe.name, {train, nullptr}, {}});
  for (Run& run : runs) {
    run.seeds = recipe.seeds;
    const FieldList seeds = {{"seeds", &run.seeds, ""}};
    for (const RecipeTable* table : run.tables)
      if (table && takes_seeds(*table))
        for (const auto& [key, value] : table->values)
          if (key == "seeds") assign_table({table->name, {{key, value}}}, seeds);
  }
  return runs;
}

std::vector<Step> plan_recipe(const Recipe& recipe, const std::vector<std::string>& only,
                              const std::vector<Stage>& stages) {
  return Planner(recipe, only, stages).plan();
}

std::vector<Step> plan_preparation(const Recipe& recipe, const std::vector<Stage>& stages) {
  return Planner(recipe, {}, stages).plan_preparation();
}

Step plan_trial(const Recipe& recipe, const Run& run, const RecipeTable& settings,
                const std::filesystem::path& folder, const std::string& title,
                const std::vector<Stage>& stages) {
  return Planner(recipe, {}, stages).plan_trial(run, settings, folder, title);
}

}  // namespace hyperllm::apps
