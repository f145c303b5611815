// The most popular items, the same for everybody: the baseline that no recommender may lose to.
#pragma once

#include <vector>

#include "hyperllm/data/csr.h"

namespace hyperllm::baselines {

// Number of training users per item; size train.cols.
std::vector<float> popularity(const data::Csr& train);

}  // namespace hyperllm::baselines
