// One pass through a model. Equal passes give equal bytes: a model has no hidden state, and what it draws at
// random it draws from here. No LibTorch.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "hyperllm/base/random.h"

namespace hyperllm::models {

struct Pass {
  bool training = false;   // false: no dropout, no masks, nothing random
  std::uint64_t seed = 1;  // of the run
  std::int64_t epoch = 0;  // 1-based
  std::int64_t step = 0;   // of the epoch, 0-based

  // The stream of this step for `use`, for example "dropped nodes".
  Random random(std::string_view use) const {
    return Random(seed,
                  std::string(use) + "/epoch " + std::to_string(epoch) + "/step " + std::to_string(step));
  }
};

}  // namespace hyperllm::models
