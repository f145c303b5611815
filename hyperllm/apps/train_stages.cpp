// The stages that need LibTorch: how they are called and which files they read and write.
#include <ostream>

#include "hyperllm/apps/stage_files.h"
#include "hyperllm/artifact/manifest.h"
#include "hyperllm/stages/bench/run.h"
#include "hyperllm/stages/train/run.h"

namespace hyperllm::apps {
namespace {

namespace fs = std::filesystem;

class Train : public CallOf<stages::train::TrainOptions> {
 public:
  void check() override { options_.validate(); }
  std::vector<Need> needs() const override {
    std::vector<Need> files;
    if (options_.needs_tags())
      files.push_back(
          {options_.dataset / "tags.tsv",
           "Add [extract] to the recipe, or choose what needs no tags: a variant (base, semantic), "
           "'ease_tag_weight' 0."});
    if (const fs::path folder = options_.embeddings_folder(); !folder.empty())
      files.push_back({folder / "users.npy",
                       "Add an [[embed]] of that name to the recipe, or name another in 'embeddings' or "
                       "'init_embeddings'."});
    for (const fs::path& run : options_.member_runs())
      files.push_back({run / "model" / "model.json",
                       "Name runs that stand above this one in the recipe, or folders of finished runs."});
    return files;
  }
  Files makes() const override {
    return {options_.output / "phase1" / "users.npy", options_.output / "model" / "model.json"};
  }
  // A training that pauses has made nothing yet.
  fs::path manifest() const override {
    return result_.paused ? fs::path() : options_.output / "manifest.json";
  }
  fs::path writes_to() const override { return if_there(options_.dataset, options_.output); }
  bool has_epochs() const override { return options_.has_epochs(); }
  Files inputs() const override { return ran_ ? result_.inputs : artifact::recorded_inputs(manifest()); }
  Files reads() const override {
    constexpr std::string_view kEnd = ".train.inter";
    const Files train = files_in(options_.dataset, kEnd);
    if (train.empty()) return {};
    const std::string name = train.front().filename().string();
    return stages::train::input_files(options_, name.substr(0, name.size() - kEnd.size()));
  }
  Files outputs() const override { return result_.outputs; }
  // Embeddings come from `embed`, or, as initial ones, from phase 1 of another run.
  Files builds_on() const override {
    Files manifests;
    if (const fs::path folder = options_.embeddings_folder(); !folder.empty())
      manifests = {folder / "embed.manifest.json", folder.parent_path() / "manifest.json"};
    for (const fs::path& run : options_.member_runs()) manifests.push_back(run / "manifest.json");
    return manifests;
  }
  Files uses_models_of() const override { return options_.member_runs(); }
  std::vector<std::string> names_runs() const override { return {"fusion_members"}; }
  // The rows of members stand for the dataset's users and items.
  Files built_from() const override {
    Files files = files_in(options_.dataset, ".train.inter");
    if (!options_.member_runs().empty())
      append(files, existing(options_.dataset, {"users.tsv", "items.tsv"}));
    return files;
  }
  bool keeps_result() const override { return options_.resume; }
  void run(const Context& context, std::ostream&) override {
    result_ = stages::train::run(options_, context);
    ran_ = true;
  }
  void ended() override {
    std::error_code ignored;  // one that stays is set aside by the next training
    for (const fs::path& file : result_.checkpoints) fs::remove(file, ignored);
  }

 private:
  bool ran_ = false;
  stages::train::TrainResult result_;
};

class Bench : public QuestionOf<stages::bench::BenchOptions> {
 public:
  void run(const Context& context, std::ostream& out) override {
    out << stages::bench::run(options_, context).text;
  }
};

template <typename Call>
std::unique_ptr<StageCall> make() {
  return std::make_unique<Call>();
}

}  // namespace

const std::vector<Stage>& all_stages() {
  static const std::vector<Stage> stages = [] {
    std::vector<Stage> all = core_stages();
    for (Stage& stage : all) {
      if (stage.name == "train") stage.make = make<Train>;
      if (stage.name == "bench") stage.make = make<Bench>;
    }
    return all;
  }();
  return stages;
}

}  // namespace hyperllm::apps
