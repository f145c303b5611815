#include "hyperllm/metrics/ranking.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "hyperllm/base/error.h"

namespace hyperllm::metrics {
namespace {

using Ids = std::span<const std::int32_t>;

// Calls on_hit(rank) with the 1-based rank of every relevant item among the first k.
template <typename OnHit>
void for_each_hit(Ids ranked, Ids relevant, std::int64_t k, OnHit on_hit) {
  HYPERLLM_DCHECK(k >= 1 && !relevant.empty());
  const std::int64_t length = std::min<std::int64_t>(k, std::ssize(ranked));
  for (std::int64_t position = 0; position < length; ++position)
    if (std::binary_search(relevant.begin(), relevant.end(), ranked[position])) on_hit(position + 1);
}

std::int64_t count_hits(Ids ranked, Ids relevant, std::int64_t k) {
  std::int64_t hits = 0;
  for_each_hit(ranked, relevant, k, [&](std::int64_t) { ++hits; });
  return hits;
}

double discount(std::int64_t rank) { return 1.0 / std::log2(static_cast<double>(rank) + 1.0); }

std::int64_t ideal_length(Ids relevant, std::int64_t k) {
  return std::min<std::int64_t>(std::ssize(relevant), k);
}

constexpr std::array<std::pair<std::string_view, Metric>, 6> kMetrics = {{{"recall", recall},
                                                                          {"ndcg", ndcg},
                                                                          {"precision", precision},
                                                                          {"hit", hit},
                                                                          {"mrr", mrr},
                                                                          {"map", average_precision}}};

}  // namespace

double recall(Ids ranked, Ids relevant, std::int64_t k) {
  return static_cast<double>(count_hits(ranked, relevant, k)) / static_cast<double>(relevant.size());
}

double precision(Ids ranked, Ids relevant, std::int64_t k) {
  return static_cast<double>(count_hits(ranked, relevant, k)) / static_cast<double>(k);
}

double hit(Ids ranked, Ids relevant, std::int64_t k) {
  return count_hits(ranked, relevant, k) > 0 ? 1.0 : 0.0;
}

double ndcg(Ids ranked, Ids relevant, std::int64_t k) {
  double gain = 0;
  for_each_hit(ranked, relevant, k, [&](std::int64_t rank) { gain += discount(rank); });
  if (gain == 0) return 0;
  double ideal = 0;
  for (std::int64_t rank = 1; rank <= ideal_length(relevant, k); ++rank) ideal += discount(rank);
  return gain / ideal;
}

double mrr(Ids ranked, Ids relevant, std::int64_t k) {
  double value = 0;
  for_each_hit(ranked, relevant, k, [&](std::int64_t rank) {
    if (value == 0) value = 1.0 / static_cast<double>(rank);
  });
  return value;
}

double average_precision(Ids ranked, Ids relevant, std::int64_t k) {
  double sum = 0;
  std::int64_t hits = 0;
  for_each_hit(ranked, relevant, k,
               [&](std::int64_t rank) { sum += static_cast<double>(++hits) / static_cast<double>(rank); });
  return sum / static_cast<double>(ideal_length(relevant, k));
}

Metric metric_by_name(std::string_view name) {
  for (const auto& [known, metric] : kMetrics)
    if (known == name) return metric;
  std::string message = "unknown metric '" + std::string(name) + "'";
  if (const std::string near = nearest_word(name, metric_names()); !near.empty())
    message += "; did you mean '" + near + "'?";
  message += " Known:";
  for (const auto& known : metric_names()) message += " " + known;
  throw Error(ErrorCode::kInvalidArgument, message);
}

std::vector<std::string> metric_names() {
  std::vector<std::string> names;
  for (const auto& [name, metric] : kMetrics) names.emplace_back(name);
  return names;
}

}  // namespace hyperllm::metrics
