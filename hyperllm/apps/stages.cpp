// How each stage is called and which files it reads and writes; train_stages.cpp has those with LibTorch.
#include <algorithm>
#include <ostream>
#include <utility>

#include "hyperllm/apps/stage_files.h"
#include "hyperllm/artifact/manifest.h"
#include "hyperllm/llm/call_store.h"
#include "hyperllm/llm/session.h"
#include "hyperllm/metrics/evaluation_files.h"
#include "hyperllm/stages/embed/run.h"
#include "hyperllm/stages/evaluate/run.h"
#include "hyperllm/stages/extract/run.h"
#include "hyperllm/stages/prepare/run.h"
#include "hyperllm/stages/recommend/run.h"
#include "hyperllm/stages/report/run.h"
#include "hyperllm/stages/tags/run.h"

namespace hyperllm::apps {
namespace {

namespace fs = std::filesystem;

// The file of the model that a stage starts itself; empty if a server answers.
fs::path local_model(const llm::ServerOptions& server) {
  return server.llm == "local" ? fs::path(server.model) : fs::path();
}

// The dataset's tables of ids, or, where there are none, the interactions that hold the ids.
Files id_files(const fs::path& dataset) {
  Files files = existing(dataset, {"users.tsv", "items.tsv"});
  return files.empty() ? files_in(dataset, ".train.inter") : files;
}

Files interaction_files(const fs::path& dataset) {
  Files files = files_in(dataset, ".inter");
  append(files, existing(dataset, {"users.tsv", "items.tsv"}));
  return files;
}

// One of the two is there, unless the model is somebody else's.
Files manifests_of_run(const fs::path& run) { return {run / "manifest.json", run / artifact::kUnfinished}; }

class Prepare : public CallOf<stages::prepare::PrepareOptions> {
 public:
  // Folders as the authors released them hold tags.
  Files makes() const override {
    const bool released =
        options_.format == "hyperllm" ||
        (options_.format == "auto" && options_.input.size() == 1 && fs::is_directory(options_.input[0]));
    return released ? Files{options_.output / "tags.tsv"} : Files();
  }
  fs::path manifest() const override {
    return options_.dry_run ? fs::path() : options_.output / "prepare.manifest.json";
  }
  fs::path writes_to() const override { return options_.dry_run ? fs::path() : options_.output; }
  std::vector<std::string> notes() const override { return result_.imports; }
  Files inputs() const override { return ran_ ? result_.inputs : artifact::recorded_inputs(manifest()); }
  // Without the tags of sources that have some: `extract` may replace them.
  Files outputs() const override {
    Files files = result_.outputs;
    std::erase_if(files, [](const fs::path& file) { return file.filename().string().starts_with("tag"); });
    return files;
  }
  void run(const Context& context, std::ostream& out) override {
    result_ = stages::prepare::run(options_, context);
    ran_ = true;
    if (options_.dry_run)
      out << result_.shown;
    else
      out << data::format_statistics(result_.statistics);
  }

 private:
  bool ran_ = false;
  stages::prepare::PrepareResult result_;
};

class Extract : public CallOf<stages::extract::ExtractOptions> {
 public:
  void check() override {
    if (options_.extractor == "llm" && !options_.only_tells())
      llm::check(options_.llm.server, options_.llm.export_batch.empty());
  }
  Files makes() const override {
    if (options_.only_tells() || !options_.llm.export_batch.empty()) return {};
    return {options_.dataset / "tags.tsv", options_.dataset / "item_summaries.jsonl"};
  }
  fs::path manifest() const override {
    return told_ || options_.only_tells() ? fs::path() : options_.dataset / "extract.manifest.json";
  }
  // Workers on several machines share a store, and perhaps the dataset's folder: they write the same files.
  fs::path writes_to() const override {
    return options_.only_tells() || llm::is_server_store(options_.llm.server.store)
               ? fs::path()
               : if_there(options_.dataset, options_.dataset);
  }
  Files inputs() const override {
    Files files = interaction_files(options_.dataset);
    const Files texts = existing(options_.dataset, {"items.jsonl"});
    append(files, texts);
    if (texts.empty() || options_.keep_tags) append(files, tags());
    for (const fs::path& file :
         {options_.llm.item_prompt, options_.llm.user_prompt, options_.llm.repair_prompt,
          options_.llm.tag_rules, local_model(options_.llm.server)})
      if (fs::is_regular_file(file)) files.push_back(file);
    return files;
  }
  Files outputs() const override {
    Files files = tags();
    append(files, existing(options_.dataset, {"item_summaries.jsonl", "user_summaries.jsonl"}));
    return files;
  }
  void run(const Context& context, std::ostream& out) override {
    const auto result = stages::extract::run(options_, context);
    out << result.text;
    told_ = !result.written;
    if (result.written) out << data::format_tag_statistics(data::measure_folder(options_.dataset));
  }

 private:
  bool told_ = false;  // the call wrote nothing
  Files tags() const { return existing(options_.dataset, {"tags.tsv", "tag_edges.tsv", "tag_items.tsv"}); }
};

class Tags : public QuestionOf<stages::tags::TagsOptions> {
 public:
  fs::path writes_to() const override {
    return options_.write ? if_there(options_.dataset, options_.dataset) : fs::path();
  }
  void run(const Context& context, std::ostream& out) override {
    out << stages::tags::run(options_, context).text;
  }
};

class Embed : public CallOf<stages::embed::EmbedOptions> {
 public:
  void check() override { stages::embed::check(options_); }
  std::vector<Need> needs() const override {
    if (options_.encoder != "npy")
      return {{options_.dataset / "item_summaries.jsonl", "Add [extract] to the recipe."}};
    std::vector<Need> files;
    for (const fs::path& file : {options_.items_npy, options_.users_npy})
      if (!file.empty()) files.push_back({file, "Check 'items_npy' and 'users_npy'."});
    return files;
  }
  Files makes() const override { return {folder() / "users.npy"}; }
  fs::path manifest() const override {
    return options_.openai.server.dry_run ? fs::path() : folder() / "embed.manifest.json";
  }
  fs::path writes_to() const override {
    return options_.openai.server.dry_run || llm::is_server_store(options_.openai.server.store)
               ? fs::path()
               : if_there(options_.dataset, folder());
  }
  Files inputs() const override {
    Files files = interaction_files(options_.dataset);
    if (options_.encoder == "npy") {
      for (const fs::path& file : {options_.items_npy, options_.users_npy})
        if (fs::exists(file)) files.push_back(file);
    } else {
      append(files, existing(options_.dataset, {"item_summaries.jsonl", "user_summaries.jsonl"}));
    }
    if (const fs::path model = local_model(options_.openai.server); fs::is_regular_file(model))
      files.push_back(model);
    return files;
  }
  Files outputs() const override { return existing(folder(), {"users.npy", "items.npy"}); }
  Files builds_on() const override {
    return options_.encoder == "npy" ? Files() : Files{options_.dataset / "extract.manifest.json"};
  }
  Files built_from() const override { return files_in(options_.dataset, ".train.inter"); }
  void run(const Context& context, std::ostream& out) override {
    out << stages::embed::run(options_, context).text;
  }

 private:
  fs::path folder() const {
    return options_.dataset / "embeddings" / (options_.name.empty() ? options_.encoder : options_.name);
  }
};

class Evaluate : public CallOf<stages::evaluate::EvaluateOptions> {
 public:
  void check() override { stages::evaluate::check(options_); }
  fs::path manifest() const override {
    return options_.run / ("evaluate." + options_.split + ".manifest.json");
  }
  fs::path writes_to() const override { return if_there(options_.run, options_.run); }
  Files inputs() const override {
    Files files = interaction_files(options_.dataset);
    append(files, files_in(options_.run / "model", ""));
    return files;
  }
  Files builds_on() const override { return manifests_of_run(options_.run); }
  Files uses_models_of() const override { return {options_.run}; }
  Files built_from() const override {
    Files files = files_in(options_.dataset, ".train.inter");
    append(files, files_in(options_.dataset, ".valid.inter"));
    return files;
  }
  Files outputs() const override {
    return {metrics::per_user_path(options_.run, options_.split),
            metrics::per_item_path(options_.run, options_.split),
            metrics::evaluation_path(options_.run, options_.split)};
  }
  void run(const Context& context, std::ostream& out) override {
    const auto result = stages::evaluate::run(options_, context);
    out << options_.run.string() << ", " << options_.split << ":";
    const char* before = " ";
    for (const auto& [name, value] : result.evaluation.metrics) {
      char text[64];
      std::snprintf(text, sizeof text, "%s%s %.4f", std::exchange(before, ", "), name.c_str(), value);
      out << text;
    }
    out << std::endl;  // at once: in a recipe the next run may take long
  }
};

class Recommend : public QuestionOf<stages::recommend::RecommendOptions> {
 public:
  // Rows of the model stand for users and items; with other ids they would be other people's answers.
  Files builds_on() const override { return manifests_of_run(options_.run); }
  Files built_from() const override { return id_files(options_.dataset); }
  Files uses_models_of() const override { return {options_.run}; }
  void run(const Context& context, std::ostream& out) override {
    const auto result = stages::recommend::run(options_, context);
    if (options_.output.empty()) out << result.text;
  }
};

class Report : public QuestionOf<stages::report::ReportOptions> {
 public:
  std::vector<std::string> names_runs() const override { return {"baseline"}; }
  void check() override { stages::report::check(options_); }
  void run(const Context& context, std::ostream& out) override {
    const auto result = stages::report::run(options_, context);
    if (options_.output.empty()) out << result.text;
  }
};

template <typename Call>
Stage stage(const char* name, const char* help) {
  return {name, help, [] { return std::make_unique<Call>(); }};
}

Stage in_train_program(const char* name, const char* help) { return {name, help, {}}; }

}  // namespace

const std::vector<Stage>& core_stages() {
  static const std::vector<Stage> stages = {
      stage<Prepare>("prepare", "Raw interactions and item texts to a dataset folder"),
      stage<Extract>("extract", "Tags, their hierarchy and summaries from the item texts"),
      stage<Tags>("tags", "The tag hierarchy as a tree; what is wrong with it; cleaning by rules"),
      stage<Embed>("embed", "Summaries to semantic embeddings"),
      in_train_program("train", "A dataset to a model: a baseline, a backbone, HyperLLM around it"),
      stage<Evaluate>("evaluate", "Metrics of a model, ranking the whole catalogue for every user"),
      stage<Recommend>("recommend", "The best items for users, with titles"),
      stage<Report>("report", "Tables and figures of evaluated runs"),
      in_train_program("bench",
                       "This machine's peak rates, time and memory of training, an estimate for a dataset"),
  };
  return stages;
}

}  // namespace hyperllm::apps
