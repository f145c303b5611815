// `hyperllm recommend`: the best items for users, with titles.
#pragma once

#include <string>
#include <vector>

#include "hyperllm/base/progress.h"
#include "hyperllm/stages/recommend/options.h"

namespace hyperllm::stages::recommend {

struct RecommendedItem {
  std::string id;
  std::string title;  // "" where items.jsonl has none
  float score = 0;    // the model's; comparable within one user only
};

struct UserRecommendations {
  std::string user;
  std::int64_t history = 0;            // training items; 0: a cold user, for whom the model can only guess
  std::vector<RecommendedItem> items;  // best first; fewer than k where the catalogue runs out
};

struct RecommendResult {
  std::vector<UserRecommendations> users;  // in the order asked
  std::string text;                        // as written to `output`, or to be printed
};

// Throws kInvalidArgument (k < 1, neither `users` nor `all`, an unknown user with the nearest id),
// kInvalidData, kIo, kNonFinite, kInterrupted. Writes `output` atomically.
RecommendResult run(const RecommendOptions& options, const Context& context);

}  // namespace hyperllm::stages::recommend
