// Implicit alternating least squares, as "Revisiting the Performance of iALS on Item Recommendation
// Benchmarks" (Rendle et al., RecSys 2022) tunes it. Of user embeddings w and item embeddings h it minimises
//
//   sum over observed (w_u.h_i - 1)^2 + alpha0 sum over all pairs (w_u.h_i)^2
//     + lambda sum_u (|I_u| + alpha0 items)^nu |w_u|^2 + lambda sum_i (|U_i| + alpha0 users)^nu |h_i|^2
//
// by solving for all users, then for all items, and so on.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "hyperllm/artifact/npy.h"
#include "hyperllm/base/progress.h"
#include "hyperllm/data/csr.h"

namespace hyperllm::baselines {

struct IalsOptions {
  std::int64_t dim = 128;        // >= 1
  double alpha0 = 0.1;           // weight of all pairs, > 0
  double lambda = 0.003;         // > 0
  double nu = 1;                 // >= 0; 1: regularised by frequency, 0: all alike
  std::int64_t iterations = 16;  // >= 1
};

struct IalsModel {
  artifact::Matrix users, items;  // users x dim, items x dim; a score is the inner product
};

// Embeddings start normal with standard deviation 0.1 / sqrt(dim), from `seed`. Works in double, rounds at
// the end. Same bytes for any number of threads. Throws kInvalidArgument for options out of range, no
// interactions, or too little memory, kNonFinite, kInterrupted.
IalsModel ials(const data::Csr& train, const IalsOptions& options, std::uint64_t seed,
               const Context& context = {});

// One half of an iteration: the rows that minimise the objective while the other side stays. `observed`: rows
// of this side, columns of the other. fixed: columns x dim, row-major. Returns rows x dim. `progress`
// advances by a unit a row.
std::vector<double> ials_half_step(const data::Csr& observed, std::span<const double> fixed,
                                   const IalsOptions& options, const Context& context, Progress& progress);

}  // namespace hyperllm::baselines
