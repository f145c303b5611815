// How much memory a job may take.
#pragma once

#include <cstdint>

namespace hyperllm::baselines {

// Bytes that this process can still allocate without swapping: the smaller of what the system and the control
// group have left; 0 if neither says.
std::int64_t available_memory();

}  // namespace hyperllm::baselines
