// The paper's HM: a hyperbolic model that turns ID embeddings and a graph into representations, and scores
// triplets on them. A new backbone is one class in one file and one call of register_backbone (see hgcf.cpp).
#pragma once

#include <torch/types.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "hyperllm/graph/graph.h"
#include "hyperllm/manifold/curvature.h"
#include "hyperllm/manifold/fused.h"

namespace hyperllm::models {

struct BackboneOptions {
  std::int64_t layers = 3;  // propagation steps, >= 1
  double max_radius =
      1.5;  // cap on the tangent norm before the exponential map; infinity: none. The paper: 1.5
  manifold::Curvature curvature;
};

class Backbone {
 public:
  virtual ~Backbone() = default;

  // h of (13) and (14). tangents: nodes x dim, ID embeddings as tangent vectors at the origin; returns nodes
  // x dim space coordinates on the hyperboloid, the geometry in which losses and rankings are computed.
  virtual torch::Tensor encode(const torch::Tensor& tangents, const graph::GraphPtr& graph) const = 0;

  // L of (13) and (14): the margin ranking loss, and auxiliary losses if the model has any. Summed over the
  // triplets.
  virtual torch::Tensor ranking_loss(const torch::Tensor& points, const manifold::Triplets& triplets,
                                     double margin) const = 0;

  // Share of nodes whose representation sits on the cap: there, the radius carries nothing and has no
  // gradient.
  virtual double saturation(const torch::Tensor& points) const = 0;

  virtual manifold::Curvature curvature() const = 0;
};

using BackboneFactory = std::function<std::unique_ptr<Backbone>(const BackboneOptions&)>;

// Makes `name` known to make_backbone; a later registration of the same name replaces the earlier one.
void register_backbone(const std::string& name, BackboneFactory factory);

// Throws kInvalidArgument naming the nearest known backbone.
std::unique_ptr<Backbone> make_backbone(const std::string& name, const BackboneOptions& options);
std::vector<std::string> backbone_names();

}  // namespace hyperllm::models
