#include "hyperllm/baselines/popularity.h"

namespace hyperllm::baselines {

std::vector<float> popularity(const data::Csr& train) {
  std::vector<float> counts(static_cast<std::size_t>(train.cols), 0.0F);
  for (const std::int32_t item : train.indices) counts[item] += 1.0F;
  return counts;
}

}  // namespace hyperllm::baselines
