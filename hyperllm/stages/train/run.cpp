#include "hyperllm/stages/train/run.h"

#include <chrono>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>

#include "hyperllm/artifact/manifest.h"
#include "hyperllm/base/error.h"
#include "hyperllm/base/file_set.h"
#include "hyperllm/base/hash.h"
#include "hyperllm/base/memory.h"
#include "hyperllm/base/parallel.h"
#include "hyperllm/baselines/popularity.h"
#include "hyperllm/data/dataset.h"
#include "hyperllm/data/tags.h"
#include "hyperllm/frameworks/method.h"
#include "hyperllm/manifold/fused.h"
#include "hyperllm/metrics/evaluation_files.h"
#include "hyperllm/models/model.h"
#include "hyperllm/retrieval/model_files.h"
#include "hyperllm/stages/train/advice.h"
#include "hyperllm/stages/train/semantic.h"
#include "hyperllm/stages/train/shared_phase.h"
#include "hyperllm/training/checkpoint.h"
#include "hyperllm/training/memory_plan.h"
#include "hyperllm/training/threads.h"
#include "hyperllm/training/trainer.h"

namespace hyperllm::stages::train {
namespace {

namespace fs = std::filesystem;
using json = nlohmann::ordered_json;
using frameworks::Framework;
using frameworks::Phase;
using training::Outcome;

// Items beyond which one exact contrast takes seconds.
constexpr std::int64_t kManyItems = 30000;

// In the run folder.
constexpr const char* kModel = "model/";
constexpr const char* kPaused = "paused.json";
constexpr const char* kResult = "result.json";

class Trainer {
 public:
  Trainer(const TrainOptions& options, const Context& context)
      : began_(Clock::now()),
        options_(options),
        context_(context),
        model_(options.models.take<models::Model>(options.model)),
        data_(data::load_dataset(options.dataset)),
        train_(std::make_shared<const data::Csr>(data_.train_csr())),
        valid_(data_.valid_csr()),
        files_(options.output) {
    if (!model_->is_baseline()) method_ = options.frameworks.take<frameworks::Method>(options.framework);
  }

  TrainResult go() {
    result_.inputs = input_files(options_, data_.name);
    timing_["load_seconds"] = seconds();
    if (method_) {
      train_in_phases();
    } else {
      fit_baseline();
    }
    if (result_.paused)
      write_file(options_.output / kPaused, described().dump(2) + "\n");
    else
      write_result();
    timing_["seconds"] = seconds();
    timing_["peak_memory"] = peak_memory();
    write_file(options_.output / "timing.json", timing_.dump(2) + "\n");
    return result_;
  }

 private:
  using Clock = std::chrono::steady_clock;
  double seconds() const { return std::chrono::duration<double>(Clock::now() - began_).count(); }
  std::uint64_t seed() const { return static_cast<std::uint64_t>(options_.seed); }
  double cap() const {
    return options_.max_radius > 0 ? options_.max_radius : std::numeric_limits<double>::infinity();
  }

  frameworks::Needs needs() const { return method_->needs(options_.embeddings); }

  // Of the content that a file had when this run read it.
  const std::string& hash_of(const fs::path& file) const {
    auto& hash = hashes_[file.generic_string()];
    if (hash.empty()) hash = hash_file(file);
    return hash;
  }

  // A checkpoint may be continued only with the same data and the same options (those apart that change no
  // number).
  std::string identity(TrainOptions same) const {
    const std::vector<fs::path> inputs = input_files(same, data_.name);
    same.output.clear();
    same.dataset.clear();
    std::string text;
    for (const Field& field : result_fields(same.fields()))
      text += field.name + "=" + field_text(field) + "\n";
    for (const fs::path& file : inputs) text += file.filename().string() + "=" + hash_of(file) + "\n";
    return hash_text(text);
  }

  void fit_baseline() {
    models::TrainingData data{*train_, seed()};
    if (options_.needs_tags()) data.tags = load_tags();
    artifact::Matrix item_embeddings;
    if (const fs::path embeddings = options_.embeddings_folder(); !embeddings.empty()) {
      item_embeddings = load_item_embeddings(embeddings, data_);
      data.item_embeddings = &item_embeddings;
    }
    if (model_->reads().valid) data.valid = &valid_;
    for (const std::string& file : model_->fit(data, files_, kModel, context_))
      append_outputs({options_.output / file});
  }

  const data::TagGraph* load_tags() {
    HYPERLLM_CHECK(data::has_tags(options_.dataset), ErrorCode::kIo,
                   options_.dataset.string() + ": no tags.tsv, which " +
                       (method_ ? "the variant " + method_->variant() : "the model " + options_.model) +
                       " needs. Run `hyperllm extract` first, or choose " +
                       (method_ ? "the variant base or semantic." : "a weight of 0 for tags."));
    tags_ = std::make_shared<const data::TagGraph>(data::load_tags(options_.dataset, data_.items));
    return tags_.get();
  }

  // What a phase's results in the store are called; empty if they are of no use to others.
  std::string shared_key(const Phase& phase) const {
    if (phase.alone.empty() || options_.phase1_store.empty()) return "";
    TrainOptions alone = options_;
    for (const auto& [name, value] : phase.alone) alone.set(name, value);
    return identity(alone);
  }

  void train_in_phases() {
    backbone_ =
        models::make_backbone(*model_, {options_.layers, cap(), manifold::Curvature(options_.curvature)});
    objective_ = objective(options_.objective);
    if (needs().tags) load_tags();
    if (const fs::path embeddings = options_.embeddings_folder(); !embeddings.empty())
      require_embeddings(embeddings);
    plan();
    const frameworks::Materials lent = materials();
    identity_ = identity(options_);
    // Until a first training has ended here, what it has so far is better than nothing. A finished run's
    // model stays until the new one is whole.
    keeps_best_ = !fs::exists(options_.output / kResult);
    if (!keeps_best_)
      context_.info(options_.output.string() +
                    ": holds a finished run, whose model stays until this one has ended");
    std::vector<Phase> phases = method_->phases(lent);
    for (Phase& phase : phases) {
      const bool last = &phase == &phases.back();
      const std::string key = shared_key(phase);
      if (!key.empty() && !last && take(phase, key)) continue;
      const std::unique_ptr<Framework> framework =
          phase.make(frameworks::storage_for(backbone_->space(), optimizer(*phase.objective)));
      const Outcome outcome = fit(*framework, phase, last);
      if (!outcome.paused) {
        std::vector<fs::path> files;
        if (phase.ended) files = phase.ended(*framework, options_.output);
        append_outputs(files);
        if (!key.empty()) {
          files.push_back(options_.output / phase.log);
          leave_shared(options_.phase1_store, key, options_.output,
                       {outcome.best_epoch, outcome.epochs, training::score_of(outcome.best), files});
        }
        advise(phase, outcome.best_epoch, outcome.epochs, training::score_of(outcome.best));
      }
      if (last) finish(*framework, outcome);
    }
  }

  // The results of another run's equal phase instead of training it.
  bool take(const Phase& phase, const std::string& key) {
    const auto shared = take_shared(options_.phase1_store, key, options_.output, context_);
    if (!shared) return false;
    context_.info(phase.name + ": the same as another run's, taken from " +
                  (options_.phase1_store / key).string());
    phase.restored(options_.output);
    append_outputs(shared->files);
    timing_[phase.name] = {{"epochs", 0}};
    const fs::path checkpoint = options_.output / phase.checkpoint;
    if (fs::exists(checkpoint) && training::load_checkpoint(checkpoint).text("identity") == identity_)
      result_.checkpoints.push_back(checkpoint);
    advise(phase, shared->best_epoch, shared->epochs, shared->score);
    return true;
  }

  void note(const std::optional<std::string>& text) {
    if (!text) return;
    context_.warn(*text);
    notes_.push_back(*text);
  }

  void advise(const Phase& phase, std::int64_t best_epoch, std::int64_t epochs, double score) {
    TrainOptions told = options_;
    const FieldList fields = told.fields();
    const std::string objective = field_text(find_field(fields, phase.options + "objective", "train"));
    note(advice({phase.name, phase.options, best_epoch, epochs, score, phase.epochs, phase.lr,
                 models::objective_for(*model_, objective)}));
  }

  frameworks::Materials materials() const {
    frameworks::Materials lent;
    lent.train = train_;
    lent.tags = tags_;
    lent.user_item = graph::user_item_graph(*train_);
    lent.backbone = backbone_;
    lent.objective = objective_;
    lent.objective_called = [this](const std::string& name) { return objective(name); };
    lent.semantic = [this] { return load_semantic(options_.embeddings_folder(), data_); };
    lent.start = [this] {
      return load_initial_tangents(options_.embeddings_folder(), data_, options_.dim, cap(),
                                   backbone_->space().curvature);
    };
    lent.dim = options_.dim;
    lent.init_scale = options_.init_scale;
    lent.seed = seed();
    lent.margin = options_.margin;
    lent.lr = options_.lr;
    lent.epochs = options_.epochs;
    lent.patience = options_.patience;
    return lent;
  }

  std::shared_ptr<const objectives::Objective> objective(const std::string& name) const {
    return options_.objectives.take<objectives::Objective>(models::objective_for(*model_, name));
  }

  // Says what the run will need, before anything large is made.
  void plan() {
    const frameworks::Needs needed = needs();
    training::RunShape shape;
    shape.users = data_.num_users();
    shape.items = data_.num_items();
    shape.train = data_.train.size();
    shape.held_out = data_.valid.size() + data_.test.size();
    if (tags_) {
      shape.tags = std::ssize(tags_->tags);
      shape.tag_edges = std::ssize(tags_->edges);
      shape.tag_items = std::ssize(tags_->tag_items);
    }
    shape.dim = options_.dim * needed.width;
    shape.batch_size = options_.batch_size;
    shape.eval_users = options_.eval_users;
    shape.contrast_rows = needed.contrast_rows;
    shape.softmax = objective_->meets_all_competitors();
    shape.adam = optimizer(*objective_) == "adam";
    shape.contrast = needed.contrast;
    const models::Nodes nodes{shape.users, shape.items};
    const std::int64_t semantic_dim =
        needed.embeddings.empty() ? 0 : semantic_columns(options_.embeddings_folder());
    if (needed.experts > 0) {
      shape.semantic_dim = semantic_dim;
      shape.experts = needed.experts;
    }
    shape.of_model = method_->step_bytes({nodes, options_.dim, semantic_dim, options_.batch_size}) +
                     backbone_->auxiliary_bytes(nodes, shape.dim, shape.batch_size);
    shape.threads = num_threads();
    const training::MemoryPlan plan = training::plan_memory(shape);
    context_.info(plan.text());
    timing_["planned_memory"] = plan.peak();
    if (tags_ && shape.contrast && shape.contrast_rows == 0 && shape.items > kManyItems)
      context_.info("contrast: all " + std::to_string(shape.items) +
                    " items against all in every step; 'contrast_rows' " +
                    "draws some of them without bias, at that share of the cost");
    const std::int64_t available = available_memory();
    training::require_memory(plan, options_.memory_limit > 0 ? options_.memory_limit * 1'000'000
                                   : available < 0           ? -1
                                                             : available + resident_memory());
  }

  std::string optimizer(const objectives::Objective& of) const {
    return models::optimizer_for(*model_, of, options_.optimizer);
  }

  Outcome fit(Framework& framework, const Phase& phase, bool last) {
    optim::OptimizerOptions optimizing;
    optimizing.method = optimizer(*phase.objective);
    optimizing.lr = phase.lr;
    optimizing.momentum = options_.momentum;
    optimizing.momentum_from_gradient = options_.momentum_from_gradient;
    optimizing.weight_decay = options_.weight_decay >= 0    ? options_.weight_decay
                              : optimizing.method == "adam" ? 0
                                                            : 5e-4;
    optimizing.max_radius = cap();
    optimizing.curvature = backbone_->space().curvature;
    training::SamplerOptions sampler;
    sampler.batch_size = options_.batch_size;
    sampler.seed = seed();
    sampler.sampling = options_.sampling == "paper" ? training::Sampling::kPaper : training::Sampling::kFresh;
    training::TrainerOptions trainer;
    trainer.epochs = phase.epochs;
    trainer.patience = phase.patience;
    trainer.eval_every = options_.eval_every;
    trainer.eval_users = options_.eval_users;
    trainer.seed = seed();
    trainer.checkpoint_seconds = options_.checkpoint_seconds;
    trainer.pause_after = last ? options_.pause_after : 0;
    trainer.resume = options_.resume;
    trainer.checkpoint = options_.output / phase.checkpoint;
    trainer.log = options_.output / phase.log;
    if (options_.tensorboard) trainer.events = options_.output / "tensorboard" / phase.name;
    trainer.task = phase.name;
    trainer.identity = identity_;
    if (last && keeps_best_)
      trainer.keep_best = [this](std::int64_t epoch, const frameworks::Representations& points) {
        write_unfinished(epoch, points);
      };
    const Outcome outcome =
        training::train(framework, *optim::make_optimizer(framework.parameters(), optimizing),
                        training::Sampler(framework.draws(), sampler), *train_, valid_, trainer, context_);
    const training::Times& times = outcome.times;
    timing_[phase.name] = {{"epochs", times.epochs},           {"steps", times.step_count},
                           {"evaluations", times.evaluations}, {"sampling_seconds", times.sampling},
                           {"step_seconds", times.steps},      {"evaluation_seconds", times.evaluation}};
    append_outputs({trainer.log});
    result_.checkpoints.push_back(trainer.checkpoint);
    return outcome;
  }

  void append_outputs(const std::vector<fs::path>& files) {
    result_.outputs.insert(result_.outputs.end(), files.begin(), files.end());
  }

  static artifact::Matrix matrix(const torch::Tensor& rows) {
    const std::span<const float> values = manifold::const_floats(rows);
    return {rows.size(0), rows.size(1), {values.begin(), values.end()}};
  }

  static void add_model(FileSet& files, const frameworks::Representations& points) {
    retrieval::add_embeddings_model(files, kModel, points.space, matrix(points.users), matrix(points.items));
  }

  void write_unfinished(std::int64_t epoch, const frameworks::Representations& points) const {
    artifact::Unfinished unfinished{"train", epoch, {}};
    for (const fs::path& file : result_.inputs)
      unfinished.inputs.emplace_back(file.generic_string(), hash_of(file));
    FileSet files(options_.output);
    add_model(files, points);
    files.add(artifact::kUnfinished).write(artifact::unfinished_text(unfinished));
    files.commit();
  }

  // What was measured of the unfinished model goes with it.
  void remove_unfinished() {
    if (!fs::exists(options_.output / artifact::kUnfinished)) return;
    files_.remove(artifact::kUnfinished);
    for (const std::string split : {"valid", "test"}) {
      files_.remove("evaluate." + split + ".manifest.json");
      for (const fs::path& file : {metrics::evaluation_path("", split), metrics::per_user_path("", split),
                                   metrics::per_item_path("", split)})
        files_.remove(file.string());
    }
  }

  training::Metrics popularity_on_validation() const {
    std::vector<float> counts = baselines::popularity(*train_);
    const frameworks::Representations popular{torch::ones({data_.num_users(), 1}),
                                              torch::from_blob(counts.data(), {data_.num_items(), 1}),
                                              {models::Geometry::kEuclidean}};
    return training::rank_and_measure(popular, *train_, valid_,
                                      training::evaluation_users(valid_, options_.eval_users, seed()));
  }

  void finish(const Framework& framework, const Outcome& outcome) {
    result_.best_epoch = outcome.best_epoch;
    result_.epochs = outcome.epochs;
    result_.valid = outcome.best;
    result_.paused = outcome.paused;
    result_.checkpoints.push_back(options_.output / kPaused);
    if (outcome.paused) return;
    add_model(files_, framework.representations());
    note(advice_on_popularity(outcome.best, popularity_on_validation()));
    const fs::path model = options_.output / kModel;
    append_outputs({model / "model.json", model / "users.npy", model / "items.npy"});
  }

  json described() const {
    json result;
    result["model"] = options_.model;
    if (method_) {
      result["variant"] = method_->variant();
      result["objective"] = options_.objective_name();
      result["best_epoch"] = result_.best_epoch;
      result["epochs"] = result_.epochs;
      for (const auto& [name, value] : result_.valid) result["valid"][name] = value;
      for (const std::string& note : notes_) result["notes"].push_back(note);
    }
    return result;
  }

  void write_result() {
    files_.add(kResult).write(described().dump(2) + "\n");
    remove_unfinished();
    files_.commit();
    result_.outputs.push_back(options_.output / kResult);
  }

  const Clock::time_point began_;
  const TrainOptions& options_;
  const Context& context_;
  const std::unique_ptr<models::Model> model_;
  const data::Dataset data_;
  const std::shared_ptr<const data::Csr> train_;
  const data::Csr valid_;
  FileSet files_;  // the model and the result: an earlier run's stay until these are whole
  std::unique_ptr<frameworks::Method> method_;  // null for a baseline
  std::shared_ptr<const models::Backbone> backbone_;
  std::shared_ptr<const objectives::Objective> objective_;
  std::shared_ptr<const data::TagGraph> tags_;
  std::string identity_;
  bool keeps_best_ = false;
  mutable std::map<std::string, std::string> hashes_;  // of input files
  std::vector<std::string> notes_;
  json timing_;
  TrainResult result_;
};

}  // namespace

std::vector<fs::path> input_files(const TrainOptions& options, const std::string& dataset_name) {
  std::vector<fs::path> files;
  for (const char* split : {"train", "valid"})
    files.push_back(options.dataset / (dataset_name + "." + split + ".inter"));
  for (const char* ids : {"users.tsv", "items.tsv"})
    if (fs::exists(options.dataset / ids)) files.push_back(options.dataset / ids);
  if (options.needs_tags())
    for (const char* tags : {"tags.tsv", "tag_edges.tsv", "tag_items.tsv"})
      files.push_back(options.dataset / tags);
  if (const fs::path embeddings = options.embeddings_folder(); !embeddings.empty()) {
    if (options.has_epochs()) files.push_back(embeddings / "users.npy");
    files.push_back(embeddings / "items.npy");
  }
  for (const fs::path& run : options.member_runs())
    for (const fs::path& file : retrieval::model_files(run / kModel)) files.push_back(file);
  return files;
}

TrainResult run(const TrainOptions& options, const Context& context) {
  options.validate();
  training::leave_threads_to_loops();
  release_file_pages();
  return Trainer(options, context).go();
}

}  // namespace hyperllm::stages::train
