// Item-based nearest neighbours (Sarwar et al., WWW 2001), with the similarities and weightings that "Are We
// Really Making Much Progress?" (Ferrari Dacrema et al., RecSys 2019) tunes.
#pragma once

#include <cstdint>

#include "hyperllm/base/progress.h"
#include "hyperllm/data/csr.h"
#include "hyperllm/retrieval/scorer.h"

namespace hyperllm::baselines {

// Of items i and j with their columns r_i, r_j of weighted interactions, n = |r|^2.
enum class Similarity {
  kCosine,   // r_i.r_j / (|r_i| |r_j| + shrink + 1e-6)
  kJaccard,  // r_i.r_j / (n_i + n_j - r_i.r_j + shrink + 1e-6)
  kDice,     // r_i.r_j / (n_i + n_j + shrink + 1e-6): theirs, half of what is usually called so
};
// What an interaction of user u with item i counts; items are documents, users are terms.
enum class Weighting {
  kNone,   // 1
  kTfIdf,  // ln(items / (1 + items of u))
  kBm25,   // that times 2.2 / (1 + 1.2 (0.25 + 0.75 (users of i) / (their mean over items)))
};

struct ItemKnnOptions {
  std::int64_t neighbours = 100;  // >= 1, kept for each item that is recommended
  double shrink = 10;             // >= 0; weakens what rests on few users
  Similarity similarity = Similarity::kCosine;
  Weighting weighting = Weighting::kNone;
};

// Row i holds what an item i of a user's history adds to other items' scores; for each column the
// `neighbours` most similar rows are kept, the smaller id first where two are equal, and nothing on the
// diagonal. The weights of interactions shape the similarities only, a history counts as it is. Same bytes
// for any number of threads. Throws kInvalidArgument for options out of range, no interactions, or a result
// for which there is no memory; kInterrupted.
retrieval::SparseWeights item_knn(const data::Csr& train, const ItemKnnOptions& options,
                                  const Context& context = {});

}  // namespace hyperllm::baselines
