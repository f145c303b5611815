// The paper's HM: a model that turns ID embeddings and a graph into representations. What surrounds it is the
// framework's, what is minimised the objective's.
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <limits>
#include <vector>

#include "hyperllm/graph/graph.h"
#include "hyperllm/manifold/space.h"
#include "hyperllm/models/pass.h"
#include "hyperllm/objectives/objective.h"
#include "hyperllm/optim/optimizer.h"

namespace hyperllm::models {

using manifold::Geometry;
using manifold::Space;

// Options that all backbones share.
struct BackboneOptions {
  std::int64_t layers = 3;  // propagation steps, >= 1
  // Cap on the tangent norm before the exponential map; infinity: none. The paper: 1.5
  double max_radius = 1.5;
  manifold::Curvature curvature;
};

// Of the user-item graph: users, then items.
struct Nodes {
  std::int64_t users = 0;
  std::int64_t items = 0;
};

// A training pass over the user-item graph, as a loss of the model's own sees it.
struct Encoded {
  torch::Tensor tangents, points;  // what encode was given, and what it gave: nodes x dim
  graph::GraphPtr graph;
  Nodes nodes;
  const objectives::Pairs& pairs;  // of this step
};

class Backbone {
 public:
  virtual ~Backbone() = default;

  // Where the representations live: losses, ranking and the saved model follow from it. Always the same.
  virtual Space space() const = 0;

  // h of (13) and (14). tangents: nodes x dim, ID embeddings as tangent vectors at the origin (in a Euclidean
  // space: the embeddings themselves); returns nodes x dim points of space(). Called for the user-item graph
  // and for the tag graph.
  virtual torch::Tensor encode(const torch::Tensor& tangents, const graph::GraphPtr& graph,
                               const Pass& pass) const = 0;

  // The rest has an answer already.

  // Cap on the distance of representations from the origin; infinity: none.
  virtual double cap() const { return std::numeric_limits<double>::infinity(); }

  // Weights of the model's own, with names that no other parameter has.
  virtual std::vector<optim::Parameter> parameters() const { return {}; }

  // Losses of the model's own: a float64 scalar that is added to the objective, whichever that is, for the
  // user-item graph in every training step. Undefined: none.
  virtual torch::Tensor auxiliary_loss(const Encoded& encoded, const Pass& pass) const;

  // Memory that auxiliary_loss takes in a step of so many pairs, in bytes.
  virtual std::int64_t auxiliary_bytes(const Nodes& nodes, std::int64_t dim, std::int64_t pairs) const;

  // Where ID embeddings start that nothing else is known of: tangents, nodes x dim. Uniform in [-scale,
  // scale) unless the model says otherwise.
  virtual torch::Tensor initial_tangents(const Nodes& nodes, const graph::Graph& graph, std::int64_t dim,
                                         double scale, Random random) const;
};

// Share of the points that sit on the cap: there, the radius carries nothing and has no gradient.
double saturation(const torch::Tensor& points, const Space& space, double cap);

// rows x dim, uniform in [-scale, scale).
torch::Tensor uniform_tangents(std::int64_t rows, std::int64_t dim, double scale, Random random);

}  // namespace hyperllm::models
