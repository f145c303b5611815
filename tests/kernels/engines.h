// The engines of hyperllm/kernels/panels.h that this machine has.
#pragma once

#include <vector>

#include "hyperllm/kernels/bfloat16.h"
#include "hyperllm/kernels/panels.h"
#include "hyperllm/kernels/panels_amx.h"

namespace hyperllm::kernels {

inline std::vector<Bfloat16> bfloat16_kinds() {
  std::vector<Bfloat16> kinds;
  for (Bfloat16 kind : {Bfloat16::kPortable, Bfloat16::kAvx512, Bfloat16::kAmx})
    if (has_bfloat16(kind)) kinds.push_back(kind);
  return kinds;
}

inline std::vector<const PanelEngine*> float_engines() {
  std::vector<const PanelEngine*> all = {&float_panels()};
  if (has_amx_parts()) all.push_back(&amx_float_panels());
  return all;
}

inline std::vector<const PanelEngine*> engines() {
  std::vector<const PanelEngine*> all = float_engines();
  for (Bfloat16 kind : bfloat16_kinds()) all.push_back(&bfloat16_panels(kind));
  return all;
}

}  // namespace hyperllm::kernels
