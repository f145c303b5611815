// EASE, a linear item-item model in closed form (Steck, Embarrassingly Shallow Autoencoders for Sparse Data,
// WWW 2019): with P = (X^T X + lambda I)^-1, weights B = I - P diag(1 / diag P), whose diagonal is zero.
//
// What else is known of the items joins as rows below X, as if tags and columns of embeddings were users:
//
//   P = (X^T X + w T^T T + v V V^T + lambda I + p / (1 - p) diag(X^T X))^-1
//
// T: tags x items, entry ln(items / items of the tag) / ln(items) where the item has the tag: 1 for the tag of
// one item alone, which so counts as a user, 0 for a tag of all. V: items x columns, the
// embeddings less their mean row, each row then of length 1 (0 where nothing is left). The last term is
// dropout of a user's items with probability p, in expectation (Steck, Autoencoders that Don't Overfit
// Towards the Identity, NeurIPS 2020, equation of EDLAE at full rank).
#pragma once

#include <cstdint>

#include "hyperllm/artifact/npy.h"
#include "hyperllm/base/progress.h"
#include "hyperllm/data/csr.h"
#include "hyperllm/retrieval/scorer.h"

namespace hyperllm::baselines {

struct EaseOptions {
  double lambda = 100;          // ridge penalty, > 0; larger for more interactions an item
  double dropout = 0;           // p, from 0 to below 1
  double tag_weight = 0;        // w, 0 or more; above 0: EaseSide::item_tags is needed
  double embedding_weight = 0;  // v, likewise of EaseSide::embeddings
  std::int64_t neighbours = 0;  // of sparse_ease
  double memory_gib = 0;        // refuse to start above this; 0: what the machine has free
};

// What is known of the items beside their users. What an option needs must be there, of as many items as X.
struct EaseSide {
  const data::Csr* item_tags = nullptr;          // items x tags
  const artifact::Matrix* embeddings = nullptr;  // items x columns
};

// How the inverse is reached. P follows from the items' Gram matrix directly, or, by the Woodbury identity
// P = (I - X^T (X X^T + lambda I)^-1 X) / lambda, from the users' one: far cheaper when users are few. Only
// the plain model goes by the users.
struct EasePlan {
  bool by_users = false;
  double bytes = 0;  // result (4 items^2) and working memory together, at the peak
  double flops = 0;
};
EasePlan plan_ease(std::int64_t users, std::int64_t items, const EaseOptions& options = {},
                   const EaseSide& side = {});

// The weights, items x items; a user's scores are the sum of their training items' rows. Works in double, since
// the condition number of X^T X + lambda I grows with the catalogue over lambda; rounds at the end. Same
// bytes for any number of threads. Reports its plan to `context` first; throws kInvalidArgument, before any
// work, for an option out of its range, a side that does not fit or a plan that does not; kInterrupted.
artifact::Matrix ease(const data::Csr& train, const EaseOptions& options, const Context& context = {},
                      const EaseSide& side = {});

// The same model where items x items does not fit: column j of B is solved exactly, but on `neighbours` items
// alone, and is zero elsewhere. They are those of the largest G_ij^2 / (G_ii + D_ii), by which item i alone would
// lower the squared error of column j (G: the sum of the first three terms above, D: the others; ties go to the
// smaller id), and of none where G_ij = 0. Where G has no zero and neighbours are all other items, it is EASE. Memory grows with items x
// neighbours, work with items x (users of the neighbours x their items + neighbours^3 / 3) and, for embeddings,
// items^2 x columns. Throws as `ease` does, and for neighbours < 1.
retrieval::SparseWeights sparse_ease(const data::Csr& train, const EaseOptions& options,
                                     const Context& context = {}, const EaseSide& side = {});

}  // namespace hyperllm::baselines
