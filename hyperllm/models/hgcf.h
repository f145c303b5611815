// HGCF: hyperbolic graph convolution for collaborative filtering (Sun et al., WWW 2021).
#pragma once

#include <memory>

#include "hyperllm/models/backbone.h"

namespace hyperllm::models {

// h = expmap0(A t + A^2 t + ... + A^L t) with A = D^-1 (B + I); the layer-0 term is left out. t are tangent
// vectors, |.| capped at max_radius before expmap0.
std::unique_ptr<Backbone> make_hgcf(const BackboneOptions& options);

}  // namespace hyperllm::models
