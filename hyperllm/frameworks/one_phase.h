// What methods share that train once, from random ID embeddings, with frozen semantic embeddings and weights
// of their own beside the backbone.
#pragma once

#include <torch/types.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "hyperllm/frameworks/method.h"

namespace hyperllm::frameworks {

// How the added weights are stepped; the backbone's parameters keep the run's optimizer.
struct OwnStepOptions {
  double lr = 1e-3;
  double weight_decay = 0;
  std::string optimizer = "adam";

  // Appended to a method's own.
  void add_fields(FieldList& to);
  optim::OwnStep step() const { return {optimizer == "sgd" ? "rsgd" : "adam", lr, weight_decay}; }
};

// Of a framework: ID embeddings, then `added`, then the backbone's.
std::vector<optim::Parameter> all_parameters(const Embeddings& embeddings,
                                             std::vector<optim::Parameter> added,
                                             const models::Backbone& backbone);

// The run's only training.
Phase only_phase(const Materials& materials, std::function<std::unique_ptr<Framework>(Storage)> make);

// Tangents of `dim` columns where the backbone starts ID embeddings.
torch::Tensor random_tangents(const Materials& materials, std::int64_t dim);
// ID embeddings that start there.
std::unique_ptr<Embeddings> random_table(const Materials& materials, std::int64_t dim, Storage storage);

}  // namespace hyperllm::frameworks
