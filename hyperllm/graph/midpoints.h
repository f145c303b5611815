// Propagation that never leaves the hyperboloid.
#pragma once

#include <torch/types.h>

#include <cstdint>

#include "hyperllm/graph/graph.h"
#include "hyperllm/manifold/curvature.h"

namespace hyperllm::graph {

// y_0 = x; y_l: every node's Lorentz midpoint s / sqrt(-c <s,s>) of its neighbours' y_{l-1}, with s = A y_{l-1}
// over time and space (Law et al., ICML 2019); returns the midpoint of y_1 .. y_layers. x and the result: nodes
// x dim, space coordinates of the hyperboloid of curvature -c. A row of A without an entry gives zeros.
//
// All in double on the kernel path, where <s,s> keeps its digits up to radius 10, and never below the (sum of
// the weights)^2 that points on the hyperboloid guarantee, so that rounding cannot make a midpoint longer than
// the points. First derivatives only there. Same bytes for any number of threads.
torch::Tensor midpoints(const GraphPtr& graph, const torch::Tensor& x, std::int64_t layers,
                        manifold::Curvature curvature);

}  // namespace hyperllm::graph
