// Random inputs of the kernels' tests and benchmarks.
#pragma once

#include <cmath>
#include <cstdint>
#include <vector>

#include "hyperllm/base/random.h"

namespace hyperllm::test {

inline std::vector<float> normal_floats(std::int64_t count, std::uint64_t seed, double scale = 1) {
  Random random(seed, "normal");
  std::vector<float> values(static_cast<std::size_t>(count));
  for (float& value : values) value = static_cast<float>(scale * random.normal());
  return values;
}

// Space coordinates of points of the hyperboloid of curvature -c at sqrt(c) * distances from the origin that
// are uniform in [0, radius].
inline std::vector<float> random_points(std::int64_t rows, std::int64_t dim, double curvature, double radius,
                                        std::uint64_t seed) {
  Random random(seed, "points");
  std::vector<float> values;
  std::vector<double> row(static_cast<std::size_t>(dim));
  for (std::int64_t i = 0; i < rows; ++i) {
    double squared = 0;
    for (double& value : row) {
      value = random.normal();
      squared += value * value;
    }
    const double length = std::sinh(radius * random.uniform()) / std::sqrt(curvature);
    for (double value : row) values.push_back(static_cast<float>(value * length / std::sqrt(squared)));
  }
  return values;
}

inline std::vector<std::int64_t> random_targets(std::int64_t rows, std::int64_t columns, std::uint64_t seed) {
  Random random(seed, "targets");
  std::vector<std::int64_t> targets;
  for (std::int64_t i = 0; i < rows; ++i)
    targets.push_back(static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(columns))));
  return targets;
}

}  // namespace hyperllm::test
