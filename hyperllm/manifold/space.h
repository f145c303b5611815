// Where representations live: distances, rankings and saved models follow from it. No LibTorch.
#pragma once

#include "hyperllm/manifold/curvature.h"

namespace hyperllm::manifold {

enum class Geometry {
  kLorentz,    // space coordinates on the hyperboloid; near is what has a small distance
  kPoincare,   // points of the ball; likewise
  kEuclidean,  // vectors; near is what has a large inner product
};

struct Space {
  Geometry geometry = Geometry::kLorentz;
  Curvature curvature = {};  // of no meaning to kEuclidean
  bool operator==(const Space& other) const {
    return geometry == other.geometry && curvature.c == other.curvature.c;
  }
};

}  // namespace hyperllm::manifold
