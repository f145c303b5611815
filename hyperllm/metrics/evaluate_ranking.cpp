#include "hyperllm/metrics/evaluate_ranking.h"

#include <algorithm>
#include <utility>

#include "hyperllm/base/error.h"
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
  for (std::size_t b = 0; b < users.size(); ++b) {
    const auto wanted = relevant.row(users[b]);
    if (wanted.empty()) continue;
    const auto list = ranked.subspan(b * static_cast<std::size_t>(width), static_cast<std::size_t>(width));
    result.users.push_back(users[b]);
    for (std::size_t c = 0; c < columns.size(); ++c) {
      result.values.push_back(columns[c].metric(list, wanted, columns[c].k));
      result.means[c] += result.values.back();
    }
  }
  if (!result.users.empty())
    for (double& mean : result.means) mean /= static_cast<double>(result.users.size());
  return result;
}

}  // namespace hyperllm::metrics
