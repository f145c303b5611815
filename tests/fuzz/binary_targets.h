// Readers of R data, matrices, models and released folders.
#pragma once

#include "tests/fuzz/fuzz.h"

namespace hyperllm::fuzz {

std::vector<Target> binary_targets();

}  // namespace hyperllm::fuzz
