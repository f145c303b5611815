// How many processors this process may use.
#pragma once

#include <filesystem>

namespace hyperllm {

// Those of its affinity mask or, if fewer, the least quota of its control groups (version 1 or 2), rounded up.
// At least 1. `root` stands in for "/" in tests.
int available_processors(const std::filesystem::path& root = "/");

}  // namespace hyperllm
