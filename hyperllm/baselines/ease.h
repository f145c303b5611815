// EASE, a linear item-item model in closed form (Steck, Embarrassingly Shallow Autoencoders for Sparse Data,
// WWW 2019): with P = (X^T X + lambda I)^-1, weights B = I - P diag(1 / diag P), whose diagonal is zero.
#pragma once

#include <cstdint>

#include "hyperllm/artifact/npy.h"
#include "hyperllm/base/progress.h"
#include "hyperllm/data/csr.h"

namespace hyperllm::baselines {

struct EaseOptions {
  double lambda = 100;    // ridge penalty, > 0; larger for more interactions an item
  double memory_gib = 0;  // refuse to start above this; 0: what the machine has free
};

// How the inverse is reached. P follows from the items' Gram matrix directly, or, by the Woodbury identity
// P = (I - X^T (X X^T + lambda I)^-1 X) / lambda, from the users' one: far cheaper when users are few.
struct EasePlan {
  bool by_users = false;
  double bytes = 0;  // result (4 items^2) and working memory together, at the peak
  double flops = 0;
};
EasePlan plan_ease(std::int64_t users, std::int64_t items);

// The weights, items x items; a user's scores are the sum of their training items' rows. Works in double,
// since the condition number of X^T X + lambda I grows with the catalogue over lambda; rounds at the end.
// Same bytes for any number of threads. Reports its plan to `context` first; throws kInvalidArgument, before
// any work, for a lambda that is not positive or a plan that does not fit; kInterrupted.
artifact::Matrix ease(const data::Csr& train, const EaseOptions& options, const Context& context = {});

}  // namespace hyperllm::baselines
