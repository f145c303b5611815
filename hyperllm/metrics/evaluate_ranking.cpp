#include "hyperllm/metrics/evaluate_ranking.h"

#include <algorithm>
#include <utility>

#include "hyperllm/base/error.h"
#include "hyperllm/base/parallel.h"
#include "hyperllm/metrics/ranking.h"

namespace hyperllm::metrics {
namespace {

struct Column {
  Metric metric;
  std::int64_t k;
};

std::vector<Column> make_columns(const std::vector<std::string>& metrics, const std::vector<std::int64_t>& ks,
                                 std::vector<std::string>& names) {
  HYPERLLM_CHECK(!metrics.empty(), ErrorCode::kInvalidArgument,
                 "no metric given; name at least one, for example recall");
  HYPERLLM_CHECK(!ks.empty(), ErrorCode::kInvalidArgument, "no K given; name at least one, for example 10");
  std::vector<Column> columns;
  for (const std::string& name : metrics) {
    const Metric metric = metric_by_name(name);
    for (const std::int64_t k : ks) {
      HYPERLLM_CHECK(k >= 1, ErrorCode::kInvalidArgument, "K must be at least 1, got " + std::to_string(k));
      std::string column = name + "@" + std::to_string(k);
      HYPERLLM_CHECK(std::find(names.begin(), names.end(), column) == names.end(),
                     ErrorCode::kInvalidArgument, column + " is asked for twice");
      columns.push_back({metric, k});
      names.push_back(std::move(column));
    }
  }
  return columns;
}

using Ids = std::span<const std::int32_t>;

constexpr std::int64_t kUsersPerBlock = 512;
constexpr std::ptrdiff_t kFewWanted = 16;  // up to here comparing with all is faster than searching

// Whether any of `wanted` is in `list`; most users' lists hold none, and then every metric is 0.
bool any_hit(Ids list, Ids wanted) {
  if (std::ssize(wanted) > kFewWanted)
    return std::any_of(list.begin(), list.end(), [&](std::int32_t item) {
      return std::binary_search(wanted.begin(), wanted.end(), item);
    });
  bool hit = false;
  for (const std::int32_t item : wanted)
    for (const std::int32_t listed : list) hit |= listed == item;
  return hit;
}

}  // namespace

double RankingValues::mean(std::string_view column) const {
  const auto found = std::find(columns.begin(), columns.end(), column);
  if (found != columns.end()) return means[static_cast<std::size_t>(found - columns.begin())];
  std::string message = "metric '" + std::string(column) + "' was not computed";
  if (const std::string near = nearest_word(column, columns); !near.empty())
    message += "; did you mean '" + near + "'?";
  throw Error(ErrorCode::kInvalidArgument, message);
}

RankingValues evaluate_ranking(std::span<const std::int32_t> users, std::span<const std::int32_t> ranked,
                               std::int64_t width, const data::Csr& relevant,
                               const std::vector<std::string>& metrics, const std::vector<std::int64_t>& ks) {
  HYPERLLM_CHECK(std::ssize(ranked) == std::ssize(users) * width, ErrorCode::kInvalidArgument,
                 "evaluate_ranking: " + std::to_string(ranked.size()) + " ranked ids for " +
                     std::to_string(users.size()) + " users x " + std::to_string(width));
  RankingValues result;
  const std::vector<Column> columns = make_columns(metrics, ks, result.columns);
  result.means.assign(columns.size(), 0.0);
  std::vector<std::size_t> places;
  for (std::size_t b = 0; b < users.size(); ++b) {
    if (relevant.row(users[b]).empty()) continue;
    result.users.push_back(users[b]);
    places.push_back(b);
  }
  result.values.assign(places.size() * columns.size(), 0.0);
  parallel_ranges(std::ssize(places), kUsersPerBlock, [&](std::int64_t begin, std::int64_t end) {
    for (auto u = static_cast<std::size_t>(begin); u < static_cast<std::size_t>(end); ++u) {
      const Ids wanted = relevant.row(result.users[u]);
      const Ids list =
          ranked.subspan(places[u] * static_cast<std::size_t>(width), static_cast<std::size_t>(width));
      if (!any_hit(list, wanted)) continue;
      for (std::size_t c = 0; c < columns.size(); ++c)
        result.values[u * columns.size() + c] = columns[c].metric(list, wanted, columns[c].k);
    }
  });
  for (std::size_t u = 0; u < places.size(); ++u)
    for (std::size_t c = 0; c < columns.size(); ++c) result.means[c] += result.values[u * columns.size() + c];
  if (!places.empty())
    for (double& mean : result.means) mean /= static_cast<double>(places.size());
  return result;
}

RankingValues validation_values(std::span<const std::int32_t> users, std::span<const std::int32_t> ranked,
                                std::int64_t width, const data::Csr& relevant) {
  return evaluate_ranking(users, ranked, width, relevant, {"recall", "ndcg"}, {10, 20});
}

std::vector<std::int64_t> item_hits(std::span<const std::int32_t> users, std::span<const std::int32_t> ranked,
                                    std::int64_t width, const data::Csr& relevant,
                                    const std::vector<std::int64_t>& ks) {
  std::vector<std::int64_t> hits(static_cast<std::size_t>(relevant.cols) * ks.size(), 0);
  for (std::size_t b = 0; b < users.size(); ++b)
    for (std::int64_t rank = 0; rank < width; ++rank) {
      const std::int32_t item = ranked[b * static_cast<std::size_t>(width) + static_cast<std::size_t>(rank)];
      if (item < 0 || !relevant.contains(users[b], item)) continue;
      for (std::size_t c = 0; c < ks.size(); ++c)
        hits[static_cast<std::size_t>(item) * ks.size() + c] += rank < ks[c];
    }
  return hits;
}

}  // namespace hyperllm::metrics
