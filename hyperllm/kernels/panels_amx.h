// Products of float32 on x86's tile registers, from bfloat16 parts (hyperllm/kernels/amx_parts-inl.h): the
// six largest of the nine products of parts, which leaves the error of float32. Internal to kernels/.
#pragma once

#include "hyperllm/kernels/panels.h"

namespace hyperllm::kernels {

// Whether the CPU, the system and Highway's targets allow products of parts: a test that takes targets away
// takes this away too.
bool has_amx_parts();
// Must not be used unless has_amx_parts().
const PanelEngine& amx_float_panels();

}  // namespace hyperllm::kernels
