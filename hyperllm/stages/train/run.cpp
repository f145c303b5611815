#include "hyperllm/stages/train/run.h"

#include <chrono>
#include <limits>
#include <nlohmann/json.hpp>

#include "hyperllm/base/error.h"
#include "hyperllm/base/file_set.h"
#include "hyperllm/base/hash.h"
#include "hyperllm/base/memory.h"
#include "hyperllm/base/parallel.h"
#include "hyperllm/baselines/ease.h"
#include "hyperllm/baselines/popularity.h"
#include "hyperllm/data/dataset.h"
#include "hyperllm/data/tags.h"
#include "hyperllm/retrieval/model_files.h"
#include "hyperllm/stages/train/semantic.h"
#include "hyperllm/training/memory_plan.h"
#include "hyperllm/training/threads.h"
#include "hyperllm/training/trainer.h"

namespace hyperllm::stages::train {
namespace {

namespace fs = std::filesystem;
using json = nlohmann::ordered_json;
using frameworks::HyperLlm;
using training::Outcome;

// Items beyond which one exact contrast takes seconds.
constexpr std::int64_t kManyItems = 30000;

// What phase 1 and phase 2 differ in.
struct Phase {
  std::string name;  // of files and of the progress line
  std::string objective;
  double margin;
  double lr;
  std::int64_t epochs, patience;
};

class Trainer {
 public:
  Trainer(const TrainOptions& options, const Context& context)
      : began_(Clock::now()),
        options_(options),
        context_(context),
        data_(data::load_dataset(options.dataset)),
        train_(data_.train_csr()),
        valid_(data_.valid_csr()),
        files_(options.output) {}

  TrainResult go() {
    result_.inputs = input_files();
    timing_["load_seconds"] = seconds();
    if (options_.model == "popular") {
      retrieval::add_popularity_model(files_, "model/", baselines::popularity(train_));
      result_.outputs = {model_folder() / "model.json", model_folder() / "item_scores.npy"};
    } else if (options_.model == "ease") {
      baselines::EaseOptions ease;
      ease.lambda = options_.ease_lambda;
      retrieval::add_item_item_model(files_, "model/", baselines::ease(train_, ease, context_));
      result_.outputs = {model_folder() / "model.json", model_folder() / "weights.npy"};
    } else {
      train_backbone();
    }
    write_result();
    timing_["seconds"] = seconds();
    timing_["peak_memory"] = peak_memory();
    write_file(options_.output / "timing.json", timing_.dump(2) + "\n");
    return result_;
  }

 private:
  using Clock = std::chrono::steady_clock;
  double seconds() const { return std::chrono::duration<double>(Clock::now() - began_).count(); }
  fs::path model_folder() const { return options_.output / "model"; }
  std::uint64_t seed() const { return static_cast<std::uint64_t>(options_.seed); }
  double cap() const {
    return options_.max_radius > 0 ? options_.max_radius : std::numeric_limits<double>::infinity();
  }
  // A plain name is one of the dataset's embeddings, anything with a '/' a folder.
  fs::path embeddings_folder(const fs::path& name) const {
    return name.has_parent_path() ? name : options_.dataset / "embeddings" / name;
  }

  // The embeddings that training starts from; empty if the variant starts at random.
  fs::path start_folder() const {
    if (options_.variant == "base" || options_.variant == "structural") return {};
    return embeddings_folder(options_.init_embeddings.empty() ? fs::path(options_.embeddings)
                                                              : options_.init_embeddings);
  }

  std::vector<fs::path> input_files() const {
    std::vector<fs::path> files;
    for (const char* split : {"train", "valid"})
      files.push_back(options_.dataset / (data_.name + "." + split + ".inter"));
    for (const char* ids : {"users.tsv", "items.tsv"})
      if (fs::exists(options_.dataset / ids)) files.push_back(options_.dataset / ids);
    if (options_.model == "popular" || options_.model == "ease") return files;
    if (options_.uses_tags())
      for (const char* tags : {"tags.tsv", "tag_edges.tsv", "tag_items.tsv"})
        files.push_back(options_.dataset / tags);
    if (const fs::path embeddings = start_folder(); !embeddings.empty())
      for (const char* matrix : {"users.npy", "items.npy"}) files.push_back(embeddings / matrix);
    return files;
  }

  // A checkpoint may be continued only with the same data and the same options (those apart that change no
  // number).
  std::string identity() const {
    TrainOptions same = options_;
    same.output.clear();
    same.dataset.clear();
    same.resume = true;
    same.checkpoint_seconds = 0;
    same.memory_limit = 0;
    std::string text;
    for (const Field& field : same.fields()) text += field.name + "=" + field_text(field) + "\n";
    for (const fs::path& file : result_.inputs)
      text += file.filename().string() + "=" + hash_file(file) + "\n";
    return hash_text(text);
  }

  void train_backbone() {
    backbone_ = models::make_backbone(options_.model,
                                      {options_.layers, cap(), manifold::Curvature(options_.curvature)});
    if (options_.uses_tags()) {
      HYPERLLM_CHECK(data::has_tags(options_.dataset), ErrorCode::kIo,
                     options_.dataset.string() + ": no tags.tsv, which the variant " + options_.variant +
                         " needs. Run `hyperllm extract` first, or choose the variant base or semantic.");
      tags_ = data::load_tags(options_.dataset, data_.items);
    }
    if (const fs::path embeddings = start_folder(); !embeddings.empty()) require_embeddings(embeddings);
    plan();
    user_item_ = graph::user_item_graph(train_);
    identity_ = identity();
    if (options_.has_phase1()) {
      train_phase1();
      if (options_.variant == "only_semantic") return;
    }
    train_phase2();
  }

  // Says what the run will need, before anything large is made.
  void plan() {
    training::RunShape shape;
    shape.users = data_.num_users();
    shape.items = data_.num_items();
    shape.train = data_.train.size();
    shape.held_out = data_.valid.size() + data_.test.size();
    shape.tags = std::ssize(tags_.tags);
    shape.tag_edges = std::ssize(tags_.edges);
    shape.tag_items = std::ssize(tags_.tag_items);
    shape.dim = options_.dim;
    shape.batch_size = options_.batch_size;
    shape.eval_users = options_.eval_users;
    shape.contrast_rows = options_.contrast_rows;
    shape.softmax = options_.objective == "softmax";
    shape.adam = options_.optimizer == "adam" || (options_.optimizer == "auto" && shape.softmax);
    shape.contrast = options_.contrast_weight > 0 && options_.variant != "without_contrast";
    if (options_.has_phase1() || options_.variant == "without_meta") {
      shape.semantic_dim = semantic_columns(embeddings_folder(options_.embeddings));
      shape.experts = options_.experts;
    }
    shape.threads = num_threads();
    const training::MemoryPlan plan = training::plan_memory(shape);
    context_.info(plan.text());
    timing_["planned_memory"] = plan.peak();
    if (options_.uses_tags() && shape.contrast && shape.contrast_rows == 0 && shape.items > kManyItems)
      context_.info("contrast: all " + std::to_string(shape.items) +
                    " items against all in every step; 'contrast_rows' " +
                    "draws some of them without bias, at that share of the cost");
    const std::int64_t available = available_memory();
    training::require_memory(plan, options_.memory_limit > 0 ? options_.memory_limit * 1'000'000
                                   : available < 0           ? -1
                                                             : available + resident_memory());
  }

  void train_phase1() {
    const Phase phase{"phase1",           options_.phase1_objective, options_.phase1_margin,
                      options_.phase1_lr, options_.phase1_epochs,    options_.phase1_patience};
    const bool last = options_.variant == "only_semantic";
    const frameworks::MoePrecision precision = options_.phase1_precision == "bfloat16"
                                                   ? frameworks::MoePrecision::kBfloat16
                                                   : frameworks::MoePrecision::kFloat32;
    HyperLlm framework = make_framework(phase, moe(false, precision), std::nullopt);
    const Outcome outcome = fit(framework, phase, nullptr, "phase1.safetensors", "phase1.metrics.jsonl");
    start_ = framework.tangents();
    const std::int64_t users = data_.num_users(), items = data_.num_items();
    const fs::path folder = options_.output / "phase1";
    FileSet phase1(folder);
    save_rows(phase1.add("users.npy"), start_.narrow(0, 0, users));
    save_rows(phase1.add("items.npy"), start_.narrow(0, users, items));
    phase1.commit();
    append_outputs({folder / "users.npy", folder / "items.npy"});
    if (last) finish(framework, outcome);
  }

  void train_phase2() {
    const Phase phase{"phase2",    options_.objective, options_.margin,
                      options_.lr, options_.epochs,    options_.patience};
    const frameworks::Storage storage =
        method(phase) == "adam" ? frameworks::Storage::kTangents : frameworks::Storage::kPoints;
    std::unique_ptr<frameworks::Embeddings> embeddings;
    if (options_.variant == "without_meta") {
      embeddings = moe(options_.tune_semantic, frameworks::MoePrecision::kFloat32);
    } else {
      embeddings = frameworks::make_table("id_embeddings", initial_tangents(), storage,
                                          manifold::Curvature(options_.curvature));
    }
    std::optional<frameworks::TagTask> task;
    if (options_.uses_tags()) task = tag_task(storage);
    HyperLlm framework = make_framework(phase, std::move(embeddings), std::move(task));
    const Outcome outcome = fit(framework, phase, options_.uses_tags() ? &tags_ : nullptr,
                                "checkpoint.safetensors", "metrics.jsonl");
    finish(framework, outcome);
  }

  torch::Tensor initial_tangents() const {
    if (start_.defined()) return start_;
    if (!start_folder().empty())
      return load_initial_tangents(embeddings_folder(options_.init_embeddings), data_, options_.dim, cap(),
                                   manifold::Curvature(options_.curvature));
    return frameworks::uniform_tangents(data_.num_users() + data_.num_items(), options_.dim,
                                        options_.init_scale, Random(seed(), "id embeddings"));
  }

  std::unique_ptr<frameworks::Embeddings> moe(bool tune_semantic, frameworks::MoePrecision precision) const {
    return frameworks::make_moe(load_semantic(embeddings_folder(options_.embeddings), data_),
                                {options_.experts, options_.dim, tune_semantic, precision},
                                Random(seed(), "experts"));
  }

  frameworks::TagTask tag_task(frameworks::Storage storage) const {
    frameworks::TagTask task;
    task.graph = graph::tag_graph(tags_, data_.num_items(), options_.tag_tag_weight);
    const auto count = static_cast<std::int64_t>(tags_.tags.size());
    task.embeddings =
        frameworks::make_table("tag_embeddings",
                               frameworks::uniform_tangents(count, options_.dim, options_.init_scale,
                                                            Random(seed(), "tag embeddings")),
                               storage, manifold::Curvature(options_.curvature));
    task.margin = options_.tag_margin;
    task.loss_weight = options_.tag_loss_weight;
    task.contrast_weight = options_.variant == "without_contrast" ? 0 : options_.contrast_weight;
    task.contrast_tau = options_.contrast_tau;
    return task;
  }

  HyperLlm make_framework(const Phase& phase, std::unique_ptr<frameworks::Embeddings> embeddings,
                          std::optional<frameworks::TagTask> task) const {
    frameworks::HyperLlmOptions framework;
    framework.num_users = data_.num_users();
    framework.num_items = data_.num_items();
    framework.objective =
        phase.objective == "softmax" ? frameworks::Objective::kSoftmax : frameworks::Objective::kHinge;
    framework.margin = phase.margin;
    framework.softmax_tau = options_.softmax_tau;
    return HyperLlm(framework, backbone_, user_item_, std::move(embeddings), std::move(task));
  }

  std::string method(const Phase& phase) const {
    if (options_.optimizer != "auto") return options_.optimizer;
    return phase.objective == "softmax" ? "adam" : "rsgd";
  }

  Outcome fit(HyperLlm& framework, const Phase& phase, const data::TagGraph* tags, const char* checkpoint,
              const char* log) {
    optim::OptimizerOptions optimizer;
    optimizer.method = method(phase);
    optimizer.lr = phase.lr;
    optimizer.momentum = options_.momentum;
    optimizer.momentum_from_gradient = options_.momentum_from_gradient;
    optimizer.weight_decay = options_.weight_decay >= 0   ? options_.weight_decay
                             : optimizer.method == "adam" ? 0
                                                          : 5e-4;
    optimizer.max_radius = cap();
    optimizer.curvature = manifold::Curvature(options_.curvature);
    training::SamplerOptions sampler;
    sampler.batch_size = options_.batch_size;
    sampler.seed = seed();
    sampler.contrast_rows = options_.contrast_rows;
    sampler.sampling = options_.sampling == "paper" ? training::Sampling::kPaper : training::Sampling::kFresh;
    training::TrainerOptions trainer;
    trainer.epochs = phase.epochs;
    trainer.patience = phase.patience;
    trainer.eval_every = options_.eval_every;
    trainer.eval_users = options_.eval_users;
    trainer.seed = seed();
    trainer.checkpoint_seconds = options_.checkpoint_seconds;
    trainer.resume = options_.resume;
    trainer.checkpoint = options_.output / checkpoint;
    trainer.log = options_.output / log;
    trainer.task = phase.name;
    trainer.identity = identity_;
    const Outcome outcome = training::train(
        framework, *optim::make_optimizer(framework.parameters(), optimizer),
        training::Sampler(train_, tags, sampler), backbone_->curvature(), train_, valid_, trainer, context_);
    const training::Times& times = outcome.times;
    timing_[phase.name] = {{"epochs", times.epochs},           {"steps", times.step_count},
                           {"evaluations", times.evaluations}, {"sampling_seconds", times.sampling},
                           {"step_seconds", times.steps},      {"evaluation_seconds", times.evaluation}};
    append_outputs({options_.output / log});
    result_.checkpoints.push_back(options_.output / checkpoint);
    return outcome;
  }

  void append_outputs(const std::vector<fs::path>& files) {
    result_.outputs.insert(result_.outputs.end(), files.begin(), files.end());
  }

  static void save_rows(AtomicFile& file, const torch::Tensor& rows) {
    const torch::Tensor values = rows.contiguous();
    artifact::write_npy(file, values.size(0), values.size(1), manifold::const_floats(values));
  }

  static artifact::Matrix matrix(const torch::Tensor& rows) {
    const std::span<const float> values = manifold::const_floats(rows);
    return {rows.size(0), rows.size(1), {values.begin(), values.end()}};
  }

  void finish(const HyperLlm& framework, const Outcome& outcome) {
    const frameworks::Representations best = framework.representations();
    retrieval::add_embeddings_model(files_, "model/", retrieval::Geometry::kLorentz, options_.curvature,
                                    matrix(best.users), matrix(best.items));
    append_outputs(
        {model_folder() / "model.json", model_folder() / "users.npy", model_folder() / "items.npy"});
    result_.best_epoch = outcome.best_epoch;
    result_.epochs = outcome.epochs;
    result_.valid = outcome.best;
  }

  void write_result() {
    json result;
    result["model"] = options_.model;
    if (options_.model != "popular" && options_.model != "ease") {
      result["variant"] = options_.variant;
      result["objective"] = options_.objective;
      result["best_epoch"] = result_.best_epoch;
      result["epochs"] = result_.epochs;
      for (const auto& [name, value] : result_.valid) result["valid"][name] = value;
    }
    files_.add("result.json").write(result.dump(2) + "\n");
    files_.commit();
    result_.outputs.push_back(options_.output / "result.json");
  }

  const Clock::time_point began_;
  const TrainOptions& options_;
  const Context& context_;
  const data::Dataset data_;
  const data::Csr train_, valid_;
  FileSet files_;  // the model and the result: an earlier run's stay until these are whole
  std::shared_ptr<const models::Backbone> backbone_;
  graph::GraphPtr user_item_;
  data::TagGraph tags_;
  std::string identity_;
  torch::Tensor start_;  // x of (12)
  json timing_;
  TrainResult result_;
};

}  // namespace

TrainResult run(const TrainOptions& options, const Context& context) {
  options.validate();
  training::leave_threads_to_loops();
  release_file_pages();
  return Trainer(options, context).go();
}

}  // namespace hyperllm::stages::train
