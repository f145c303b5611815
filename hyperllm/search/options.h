// The keys of a recipe's [search] that are no space (docs/experiments.md).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "hyperllm/base/fields.h"

namespace hyperllm::search {

struct SearchOptions {
  std::string name = "study";
  std::vector<std::string> runs;
  std::string method = "random";
  std::string metric = "ndcg@20";
  std::int64_t trials = 0;
  std::int64_t epochs = 0;
  double minutes = 0;
  std::int64_t eta = 3;
  std::int64_t min_epochs = 5;
  std::int64_t seed = 1;

  FieldList fields() {
    return {
        {"name", &name, "of the study: its folder is OUTPUT/search/NAME"},
        {"runs", &runs,
         "runs of the recipe that are searched, each with the same budget; all if there are none"},
        {"method",
         &method,
         "grid: every point; random: points of a scrambled Halton sequence; halving: such points, of which "
         "the better go on",
         {"grid", "random", "halving"}},
        {"metric",
         &metric,
         "what a trial is judged by, on validation; score: the sum of the others, which early stopping uses",
         {"recall@10", "recall@20", "ndcg@10", "ndcg@20", "score"}},
        {"trials", &trials, "points tried for a run; 0: 64, of a grid all", within(0, 100'000)},
        {"epochs", &epochs, "no more work for a run after so many epochs; 0: no limit", within(0, 1e12)},
        {"minutes", &minutes, "no more work for a run after so much training; 0: no limit", within(0, 1e7)},
        {"eta", &eta, "halving: one trial of so many goes on", within(2, 100)},
        {"min_epochs", &min_epochs, "halving: epochs of the first rung, at least", within(1, 1e6)},
        {"seed", &seed, "of the points that are drawn", at_least(0)}};
  }
};

}  // namespace hyperllm::search
