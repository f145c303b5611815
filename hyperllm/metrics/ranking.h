// Ranking metrics as pure functions of (ranked ids, relevant set, K), in double, never rounded.
//
// Definitions are RecBole's (binary relevance): R = relevant items, L = the first K of the ranked list.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace hyperllm::metrics {

// `ranked`: distinct ids, best first, negative ids ignored as padding; `relevant`: sorted ascending, not
// empty; k >= 1.
double recall(std::span<const std::int32_t> ranked, std::span<const std::int32_t> relevant, std::int64_t k);
double precision(std::span<const std::int32_t> ranked, std::span<const std::int32_t> relevant,
                 std::int64_t k);
double hit(std::span<const std::int32_t> ranked, std::span<const std::int32_t> relevant, std::int64_t k);
// Gains 1, discounts 1 / log2(rank + 1), ideal list cut at min(|R|, K).
double ndcg(std::span<const std::int32_t> ranked, std::span<const std::int32_t> relevant, std::int64_t k);
// 1 / rank of the first hit, 0 if none.
double mrr(std::span<const std::int32_t> ranked, std::span<const std::int32_t> relevant, std::int64_t k);
// Mean precision at the hits, over min(|R|, K).
double average_precision(std::span<const std::int32_t> ranked, std::span<const std::int32_t> relevant,
                         std::int64_t k);

using Metric = double (*)(std::span<const std::int32_t>, std::span<const std::int32_t>, std::int64_t);
// "recall", "precision", "hit", "ndcg", "mrr", "map". Throws kInvalidArgument with the nearest name.
Metric metric_by_name(std::string_view name);
std::vector<std::string> metric_names();

}  // namespace hyperllm::metrics
