// The one convention of curvature: sectional curvature -c with c > 0.
//
// Lorentz points satisfy <x,x>_L = -1/c; ball points satisfy c |x|^2 < 1. The paper's k and geoopt's Lorentz
// k are 1/c, HGCF's and geoopt's stereographic c are this c (k = -c). All published runs use c = 1.
#pragma once

#include "hyperllm/base/error.h"

namespace hyperllm::manifold {

struct Curvature {
  double c = 1;

  Curvature() = default;
  explicit Curvature(double value) : c(value) {
    HYPERLLM_CHECK(value > 0 && value < 1e6, ErrorCode::kInvalidArgument,
                   "curvature: expected a number above 0 (the space has sectional curvature -c)");
  }
};

}  // namespace hyperllm::manifold
