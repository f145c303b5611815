// Options of `hyperllm train`. Defaults are ours; the authors' settings are recipes under experiments/paper/.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "hyperllm/base/fields.h"

namespace hyperllm::stages::train {

struct TrainOptions {
  std::filesystem::path dataset;
  std::filesystem::path output;
  std::string model = "hgcf";
  std::string variant = "hyperllm";
  std::string objective = "hinge";
  std::string embeddings = "lsa";
  std::filesystem::path init_embeddings;
  std::int64_t seed = 1;

  std::int64_t dim = 49;
  std::int64_t layers = 3;
  double curvature = 1;
  double max_radius = 1.5;
  double init_scale = 0.1;

  double margin = 1.6;
  double softmax_tau = 0.5;
  double tag_margin = 0.9;
  double tag_loss_weight = 1;
  double tag_tag_weight = 1;
  double contrast_weight = 0.01;
  double contrast_tau = 0.5;
  std::int64_t contrast_rows = 0;

  std::int64_t epochs = 500;
  std::int64_t patience = 50;
  std::int64_t eval_every = 1;
  std::int64_t eval_users = 0;
  std::int64_t batch_size = 4096;
  std::string sampling = "fresh";
  std::string optimizer = "auto";
  double lr = 1e-3;
  double momentum = 0.95;
  bool momentum_from_gradient = false;
  double weight_decay = -1;

  std::int64_t experts = 16;
  std::string phase1_objective = "hinge";
  double phase1_margin = 0.1;
  double phase1_lr = 1e-3;
  std::int64_t phase1_epochs = 500;
  std::int64_t phase1_patience = 50;
  std::string phase1_precision = "float32";
  bool tune_semantic = false;

  double ease_lambda = 100;

  bool resume = true;
  double checkpoint_seconds = 30;
  std::int64_t memory_limit = 0;

  FieldList fields();
  // Throws kInvalidArgument naming the option and its valid range; kUnavailable for what this CPU cannot do.
  void validate() const;

  // What the variant means.
  bool uses_tags() const;
  bool has_phase1() const;  // phase 1 is trained here (no init_embeddings given)
};

}  // namespace hyperllm::stages::train
