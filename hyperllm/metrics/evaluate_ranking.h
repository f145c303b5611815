// Ranking metrics of many users at once: values per user, and their means.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "hyperllm/data/csr.h"

namespace hyperllm::metrics {

struct RankingValues {
  std::vector<std::string> columns;  // "recall@10", "recall@20", "ndcg@10", ...: by metric, then by K
  std::vector<std::int32_t> users;   // those of the given users who have relevant items, in the given order
  std::vector<double> values;        // users x columns
  std::vector<double> means;         // per column; summed in the order of `users`; 0 without users

  // The mean of one column. Throws kInvalidArgument naming the nearest column.
  double mean(std::string_view column) const;
};

// `ranked` is users.size() x width, row b the ranked item ids of users[b], best first, -1 as padding (what
// retrieval::top_k gives; width may be smaller than a K when the catalogue is). `relevant`: one row a user
// id. Users without relevant items are left out, as in RecBole: one ranking of all users serves several
// splits, whose masks are the same, one call each. Same bytes for any number of threads. Throws
// kInvalidArgument for an unknown metric, an empty list of metrics or Ks, K < 1.
RankingValues evaluate_ranking(std::span<const std::int32_t> users, std::span<const std::int32_t> ranked,
                               std::int64_t width, const data::Csr& relevant,
                               const std::vector<std::string>& metrics, const std::vector<std::int64_t>& ks);

// What validation goes by, in training and wherever else a setting is chosen: recall and NDCG at 10 and 20,
// the higher their sum the better. `ranked`: users x `width`, at least 20 wide where the catalogue is.
RankingValues validation_values(std::span<const std::int32_t> users, std::span<const std::int32_t> ranked,
                                std::int64_t width, const data::Csr& relevant);

// hits[i * ks.size() + c]: users who have item i relevant and among their first ks[c]. `ranked` as above.
std::vector<std::int64_t> item_hits(std::span<const std::int32_t> users, std::span<const std::int32_t> ranked,
                                    std::int64_t width, const data::Csr& relevant,
                                    const std::vector<std::int64_t>& ks);

}  // namespace hyperllm::metrics
