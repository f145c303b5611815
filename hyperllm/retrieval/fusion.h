// Several models as one: a weighted sum of their scores, brought to one scale for each user.
//
//   score(u, i) = sum over members m of w_m (s_m(u, i) - mean_m(u)) / deviation_m(u)
//
// Mean and deviation are those of the member's scores of u for all items. A member that gives a user's items
// one score (EASE, for a user without history) adds nothing for that user.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "hyperllm/retrieval/scorer.h"

namespace hyperllm::retrieval {

struct Member {
  std::shared_ptr<const Scorer> scorer;
  double weight = 1;
};

// Of models of one dataset; at least one. Weights count in proportion to their sum, which must be above 0.
// Throws kInvalidArgument.
std::unique_ptr<Scorer> make_fusion_scorer(std::vector<Member> members);

// The two halves of the above, for whoever tries many weights. `scores`: rows of `items`, each standardised
// in place. A score that is not a number leaves a row of such numbers.
void standardise(std::span<float> scores, std::int64_t items);
void add_weighted(std::span<const float> standardised, double weight, std::span<float> out);

}  // namespace hyperllm::retrieval
