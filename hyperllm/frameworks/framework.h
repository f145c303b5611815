// What surrounds a backbone, as trainer, sampler and stages know it. A new framework is one class in a file
// of its own and one line in method.cpp (method.h).
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "hyperllm/data/csr.h"
#include "hyperllm/models/backbone.h"
#include "hyperllm/objectives/objective.h"
#include "hyperllm/optim/optimizer.h"

namespace hyperllm::frameworks {

using objectives::Objective;
using objectives::Pairs;

// What a step's batch holds: the sampler serves any framework by this.
struct Draws {
  struct OfPairs {
    std::string name;  // of its random streams
    // The positives, and what must not be drawn as a candidate: both anchors x columns. An anchor that has
    // every column among `known` is left out.
    std::shared_ptr<const data::Csr> positives, known;
    std::int32_t anchor_offset = 0, column_offset = 0;  // node id = row or column + offset
    std::int64_t candidates = 1;                        // a pair; 0: none are drawn
    std::int64_t copies = 1;                            // every positive counts so often an epoch
    bool both_directions = false;                       // every pair is there as (a, b) and as (b, a)
  };
  // `drawn` of the rows [0, rows), uniform, without repetition, ascending; none if drawn is 0 or not below
  // rows, which stands for all of them.
  struct OfRows {
    std::string name;
    std::int64_t rows = 0, drawn = 0;
  };
  std::vector<OfPairs> pairs;  // pairs[0], user-item, sets the number of steps
  std::vector<OfRows> rows;
};

// One optimisation step's samples, in the order of Draws.
struct Batch {
  std::vector<Pairs> pairs;
  std::vector<std::vector<std::int32_t>> rows;
};

// Interactions: nodes users, then items.
Draws::OfPairs user_item_draws(std::shared_ptr<const data::Csr> train, std::int64_t candidates);

// Final representations, detached.
struct Representations {
  torch::Tensor users;   // num_users x dim
  torch::Tensor items;   // num_items x dim
  models::Space space;   // whose points they are
  double saturated = 0;  // share of them on the backbone's cap
};

class Framework {
 public:
  virtual ~Framework() = default;
  virtual Draws draws() const = 0;
  virtual std::vector<optim::Parameter> parameters() const = 0;
  // To be called after parameters were written from outside (a checkpoint, the best epoch).
  virtual void parameters_changed() {}
  // A float64 scalar. Equal batches and passes give equal bytes.
  virtual torch::Tensor loss(const Batch& batch, const models::Pass& pass) const = 0;
  virtual Representations representations() const = 0;
  // "tensor NAME, row R" of the first non-finite parameter or intermediate result; empty if all are finite.
  virtual std::string first_non_finite() const;
};

// The user-item graph with its backbone: what any framework does with it.
struct UserItemTask {
  std::shared_ptr<const models::Backbone> backbone;
  graph::GraphPtr graph;
  models::Nodes nodes;
  std::shared_ptr<const Objective> objective;
  double margin = 1.6;

  torch::Tensor encode(const torch::Tensor& tangents, const models::Pass& pass) const {
    return backbone->encode(tangents, graph, pass);
  }
  // L of (13): the objective over the pairs, and the backbone's own losses. points: encode(tangents, pass).
  torch::Tensor loss(const torch::Tensor& tangents, const torch::Tensor& points, const Pairs& pairs,
                     const models::Pass& pass) const;
  // Of tangents as they stand.
  Representations representations(const torch::Tensor& tangents) const;
};

// "tensor NAME, row R" of the first non-finite number; empty if there is none.
std::string non_finite_row(const std::string& name, const torch::Tensor& tensor);

}  // namespace hyperllm::frameworks
