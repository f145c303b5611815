// Options of `hyperllm train`. Defaults are ours; the authors' settings are recipes under experiments/paper/.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "hyperllm/base/registry.h"

namespace hyperllm::stages::train {

// What each model, objective and framework adds of its own (hyperllm/models/model.h, objectives/objective.h,
// frameworks/method.h).
OwnOptions model_options();
OwnOptions objective_options();
OwnOptions framework_options();

struct TrainOptions {
  std::filesystem::path dataset;
  std::filesystem::path output;
  std::string model = "hgcf";
  std::string framework = "hyperllm";
  std::string objective = "softmax";
  std::string embeddings = "lsa";
  std::int64_t seed = 1;

  std::int64_t dim = 49;
  std::int64_t layers = 3;
  double curvature = 1;
  double max_radius = 1.5;
  double init_scale = 0.1;
  double margin = 1.6;

  std::int64_t epochs = 200;
  std::int64_t patience = 15;
  std::int64_t eval_every = 1;
  std::int64_t eval_users = 0;
  std::int64_t batch_size = 4096;
  std::string sampling = "fresh";
  std::string optimizer = "auto";
  double lr = 2e-3;
  double momentum = 0.95;
  bool momentum_from_gradient = false;
  double weight_decay = -1;

  bool tensorboard = false;
  bool resume = true;
  double checkpoint_seconds = 30;
  std::int64_t pause_after = 0;
  std::filesystem::path phase1_store;
  std::int64_t memory_limit = 0;

  OwnOptions models = model_options(), objectives = objective_options(), frameworks = framework_options();

  // All of them, those of models, objectives and frameworks included.
  FieldList fields();
  // Sets one by its name, as a flag or a recipe does: set("variant", "base").
  void set(std::string_view name, std::string_view text);
  // Throws kInvalidArgument naming the option and its valid range; kUnavailable for what this CPU cannot do.
  void validate() const;

  // The objective's name, with "auto" resolved.
  std::string objective_name() const;
  // False for a baseline. Throws kInvalidArgument if there is no such model.
  bool has_epochs() const;
  bool needs_tags() const;
  // The folder of the embeddings that training reads; empty if it reads none.
  std::filesystem::path embeddings_folder() const;
  // Folders of the finished runs that a model is made of.
  std::vector<std::filesystem::path> member_runs() const;
};

}  // namespace hyperllm::stages::train
