// LightGCN (He et al., SIGIR 2020), the Euclidean control.
#pragma once

#include <cstdint>
#include <memory>

#include "hyperllm/models/backbone.h"

namespace hyperllm::models {

// The mean of e, A e, ..., A^layers e with A = D^-1/2 B D^-1/2, without self-loops: a node without an edge is
// left with e / (layers + 1). layers >= 0; 0: matrix factorisation. reg: see euclidean.h.
std::unique_ptr<Backbone> make_lightgcn(std::int64_t layers, double reg);

}  // namespace hyperllm::models
