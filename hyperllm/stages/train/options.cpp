#include "hyperllm/stages/train/options.h"

#include <iterator>
#include <utility>

#include "hyperllm/base/error.h"
#include "hyperllm/frameworks/method.h"
#include "hyperllm/models/model.h"
#include "hyperllm/objectives/objective.h"

namespace hyperllm::stages::train {
namespace {

namespace fs = std::filesystem;

std::unique_ptr<frameworks::Method> method_of(const TrainOptions& options) {
  return options.frameworks.take<frameworks::Method>(options.framework);
}

// Throws kInvalidArgument if there is no such model.
std::unique_ptr<models::Model> model_of(const TrainOptions& options) {
  return options.models.take<models::Model>(options.model);
}

}  // namespace

OwnOptions model_options() { return OwnOptions(models::models()); }
OwnOptions objective_options() { return OwnOptions(objectives::objectives()); }
OwnOptions framework_options() { return OwnOptions(frameworks::methods()); }

FieldList TrainOptions::fields() {
  FieldList all = {
      {"dataset", &dataset, "dataset folder, made by prepare"},
      {"output", &output, "run folder: model, metrics, checkpoints"},
      {"model", &model, models::models().help()},
      {"framework", &framework, "the framework around a backbone: " + frameworks::methods().help(),
       frameworks::methods().names()},
      {"objective", &objective,
       "what is minimised: " + objectives::objectives().help() + "; auto: what the model was published with",
       objectives::choices()},
      {"embeddings", &embeddings,
       "semantic embeddings to learn from: a name in DATASET/embeddings, or a folder"},
      {"seed", &seed, "of initialisation and sampling", at_least(0)},
      {"dim", &dim,
       "dimensions of the space; the paper's 50 count the hyperboloid's time coordinate: 49, in the ball 50",
       within(1, 4096)},
      {"layers", &layers, "propagation steps", within(1, 100)},
      {"curvature", &curvature, "c of the sectional curvature -c", above(0, 1e4)},
      {"max_radius", &max_radius, "cap on the distance of representations from the origin; 0: none",
       within(0, 100)},
      {"init_scale", &init_scale,
       "random embeddings start uniform in +- this, or normal of this deviation, as the model says",
       within(0, 100)},
      {"margin", &margin, "m2, margin of the user-item hinge", within(0, 1e4)},
      {"epochs", &epochs, "at most this many", within(0, 1e6)},
      {"patience", &patience, "epochs without a better validation score before stopping", within(1, 1e6)},
      {"eval_every", &eval_every, "epochs between validations", within(1, 1e6)},
      {"eval_users", &eval_users, "validate on so many users, drawn once by seed; 0: all",
       within(0, 2147483647)},
      {"batch_size", &batch_size, "user-item positives in a step", within(1, 1 << 24)},
      {"sampling",
       &sampling,
       "fresh: every positive once an epoch; paper: the released code's sampler",
       {"fresh", "paper"}},
      {"optimizer",
       &optimizer,
       "auto: what the model was published with, or suits the objective (hinge: rsgd, softmax: adam)",
       {"auto", "rsgd", "adam"}},
      {"lr", &lr, "learning rate", above(0, 1000)},
      {"momentum", &momentum, "of rsgd", within(0, 1)},
      {"momentum_from_gradient", &momentum_from_gradient,
       "start rsgd's momentum at the first gradient, as the released code does, instead of at zero"},
      {"weight_decay", &weight_decay, "negative: 5e-4 for rsgd, 0 for adam", within(-1, 100)},
      {"tensorboard", &tensorboard,
       "write event files for TensorBoard to RUN/tensorboard, one folder per phase", Effect::kHow},
      {"resume", &resume, "resume from the run folder's checkpoints", Effect::kHow},
      {"checkpoint_seconds", &checkpoint_seconds, "seconds between checkpoints; 0: every epoch",
       within(0, 1e9), Effect::kHow},
      {"pause_after", &pause_after,
       "stop after this epoch of the last phase, with a checkpoint; the same command without it resumes; 0: "
       "never",
       within(0, 1e6), Effect::kHow},
      {"phase1_store", &phase1_store,
       "folder in which runs with the same phase 1 share its result; a recipe sets one; empty: none",
       Effect::kHow},
      {"memory_limit", &memory_limit, "MB that training may take; 0: what the machine has left",
       within(0, 1e9), Effect::kHow},
  };
  const auto append = [&](FieldList own) { std::move(own.begin(), own.end(), std::back_inserter(all)); };
  append(frameworks.fields({"framework"}));
  append(models.fields({"model"}));
  append(objectives.fields({"objective", "phase1_objective"}, [this] {
    return models.has(model) ? models.take<models::Model>(model)->objective() : "";
  }));
  return all;
}

void TrainOptions::set(std::string_view name, std::string_view text) {
  assign_field(find_field(fields(), name, "train"), text);
}

void TrainOptions::validate() const {
  check_fields(TrainOptions(*this).fields());
  const auto require = [](bool holds, const char* message) {
    HYPERLLM_CHECK(holds, ErrorCode::kInvalidArgument, std::string("train: ") + message);
  };
  require(!dataset.empty(), "option 'dataset' is missing; give the folder that prepare wrote");
  require(!output.empty(), "option 'output' is missing; give a folder for the run");
  if (has_epochs())
    method_of(*this)->validate();
  else
    model_of(*this)->validate();
}

std::string TrainOptions::objective_name() const {
  return models::objective_for(*model_of(*this), objective);
}

bool TrainOptions::has_epochs() const { return !model_of(*this)->is_baseline(); }

bool TrainOptions::needs_tags() const {
  return has_epochs() ? method_of(*this)->needs(embeddings).tags : model_of(*this)->reads().tags;
}

fs::path TrainOptions::embeddings_folder() const {
  const fs::path name = has_epochs()                          ? method_of(*this)->needs(embeddings).embeddings
                        : model_of(*this)->reads().embeddings ? fs::path(embeddings)
                                                              : fs::path();
  // A plain name is one of the dataset's embeddings, anything with a '/' a folder.
  return name.empty() || name.has_parent_path() ? name : dataset / "embeddings" / name;
}

std::vector<fs::path> TrainOptions::member_runs() const {
  return has_epochs() ? std::vector<fs::path>() : model_of(*this)->reads().runs;
}

}  // namespace hyperllm::stages::train
