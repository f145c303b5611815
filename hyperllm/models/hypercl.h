// HyperCL: contrast of a tangential and a fully hyperbolic view (Qin et al., TKDE 2025).
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "hyperllm/models/backbone.h"

namespace hyperllm::models {

struct HyperClOptions {
  double ssl_ratio = 0.35;  // share of the edges that each view drops, [0, 1)
  double ssl_temp = 0.05;   // tau, > 0
  double ssl_reg = 0.005;   // weight of the contrast, >= 0; 0 leaves it out
  // Of a node that lost all its edges, "self": its own point. "zero", as in the released code: the origin in the
  // first view, in the second the zero vector, which is no point and counts as at distance 0 from everything.
  std::string isolated = "self";
};

// HGCF's h on the full graph ranks. In training, on two graphs that are drawn anew each epoch,
//   ssl_reg sum over the pairs (u, i) of  -log softmax_v(-d^2(a_u, b_v) / tau) at v = u, and the same of i,
// with a = HGCF's h on the first and b = graph::midpoints of the points expmap0(t) on the second; v runs over
// the users (items) of the step's pairs, as often as they occur. Far beyond max_radius, at radius 10, t is cut
// for b, where float32 points come to an end.
std::unique_ptr<Backbone> make_hypercl(const BackboneOptions& options, const HyperClOptions& own);

// The graphs of the views in the pass's epoch: of the edges of `graph`, E, each keeps
// floor((1 - ssl_ratio) E), drawn without replacement, as D^-1/2 B D^-1/2.
struct HyperClViews {
  graph::GraphPtr first, second;
};
HyperClViews hypercl_views(const graph::Graph& graph, const HyperClOptions& own, const Pass& pass);

}  // namespace hyperllm::models
