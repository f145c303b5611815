// Blocked Cholesky factor whose result does not depend on the number of threads.
#pragma once

#include <cstdint>
#include <span>

#include "hyperllm/base/progress.h"

namespace hyperllm::baselines {

// Rows that a block step takes at once.
inline constexpr std::int64_t kBlock = 128;

// Overwrites the lower triangle of the symmetric positive definite n x n row-major matrix with L, A = L L^T;
// the upper triangle outside the diagonal blocks keeps its content. Throws kInvalidArgument if A is not
// positive definite in double, kInterrupted.
void cholesky(std::span<double> a, std::int64_t n, const Context& context = {});

}  // namespace hyperllm::baselines
