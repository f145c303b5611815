// A complete backbone, to copy for your own: see examples/README.md.
#pragma once

#include <memory>

#include "hyperllm/models/backbone.h"

namespace examples {

// LightGCN's propagation in the tangent space: t' = (t + A t + A^2 t + ... + A^L t) / (L + 1), then expmap0.
// Ranked by Lorentz distance.
std::unique_ptr<hyperllm::models::Backbone> make_mean_layers(
    const hyperllm::models::BackboneOptions& options);

}  // namespace examples
