#include "hyperllm/stages/report/compare.h"

#include <algorithm>
#include <utility>

#include "hyperllm/base/error.h"
#include "hyperllm/metrics/evaluation_files.h"
#include "hyperllm/stages/report/collect.h"

namespace hyperllm::stages::report {
namespace {

namespace fs = std::filesystem;
using metrics::PerUser;

void check_same(const PerUser& a, const PerUser& b, const fs::path& folder) {
  HYPERLLM_CHECK(a.users == b.users, ErrorCode::kInvalidData,
                 folder.string() +
                     ": its users are not those of the runs beside it, so users cannot be "
                     "paired. Evaluate all runs on one dataset and split.");
}

// Mean over the folders, user by user, of the columns that all of them have.
PerUser average(const std::vector<fs::path>& folders, const std::string& split) {
  PerUser sum = metrics::load_per_user(metrics::per_user_path(folders.front(), split));
  for (std::size_t f = 1; f < folders.size(); ++f) {
    const PerUser more = metrics::load_per_user(metrics::per_user_path(folders[f], split));
    check_same(sum, more, folders[f]);
    HYPERLLM_CHECK(sum.columns == more.columns, ErrorCode::kInvalidData,
                   folders[f].string() +
                       ": its metrics are not those of the other seeds. Evaluate all seeds "
                       "with the same options.");
    for (std::size_t i = 0; i < sum.values.size(); ++i) sum.values[i] += more.values[i];
  }
  for (double& value : sum.values) value /= static_cast<double>(folders.size());
  return sum;
}

bool is_baseline(const ReportRow& row, const std::vector<fs::path>& baseline) {
  return std::any_of(baseline.begin(), baseline.end(), [&](const fs::path& folder) {
    return std::any_of(row.folders.begin(), row.folders.end(),
                       [&](const fs::path& other) { return fs::equivalent(folder, other); });
  });
}

void correct(std::vector<Comparison>& comparisons, double metrics::PairedTest::*p) {
  std::vector<double> values;
  for (const Comparison& c : comparisons) values.push_back(c.test.*p);
  const std::vector<double> corrected = metrics::holm(values);
  for (std::size_t i = 0; i < comparisons.size(); ++i) comparisons[i].test.*p = corrected[i];
}

}  // namespace

std::vector<Comparison> compare(const std::vector<ReportRow>& rows, const ReportOptions& options) {
  const std::vector<fs::path> folders = evaluated_folders(options.baseline, options.split);
  const PerUser baseline = average(folders, options.split);
  std::vector<Comparison> comparisons;
  for (const ReportRow& row : rows) {
    if (is_baseline(row, folders)) continue;
    const PerUser other = average(row.folders, options.split);
    check_same(baseline, other, row.folders.front());
    for (const std::string& column : baseline.columns) {
      if (std::find(other.columns.begin(), other.columns.end(), column) == other.columns.end()) continue;
      comparisons.push_back(
          {row.name, column,
           metrics::paired_test(baseline.column(column), other.column(column), options.resamples,
                                static_cast<std::uint64_t>(options.seed))});
    }
  }
  correct(comparisons, &metrics::PairedTest::t_test_p);
  correct(comparisons, &metrics::PairedTest::wilcoxon_p);
  return comparisons;
}

}  // namespace hyperllm::stages::report
