#include "hyperllm/stages/report/compare.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>

#include "hyperllm/base/error.h"
#include "hyperllm/stages/report/collect.h"

namespace hyperllm::stages::report {
namespace {

namespace fs = std::filesystem;
using metrics::PerUser;

PerUser average(const std::vector<fs::path>& folders, const std::string& split) {
  PerUser sum = metrics::load_per_user(metrics::per_user_path(folders.front(), split));
  for (std::size_t f = 1; f < folders.size(); ++f) {
    const PerUser more = metrics::load_per_user(metrics::per_user_path(folders[f], split));
    check_same_users(sum, more, folders[f]);
    HYPERLLM_CHECK(sum.columns == more.columns, ErrorCode::kInvalidData,
                   folders[f].string() +
                       ": its metrics are not those of the other seeds. Evaluate all seeds "
                       "with the same options.");
    for (std::size_t i = 0; i < sum.values.size(); ++i) sum.values[i] += more.values[i];
  }
  for (double& value : sum.values) value /= static_cast<double>(folders.size());
  return sum;
}

bool share_a_folder(const std::vector<fs::path>& some, const std::vector<fs::path>& others) {
  return std::any_of(some.begin(), some.end(), [&](const fs::path& folder) {
    return std::any_of(others.begin(), others.end(),
                       [&](const fs::path& other) { return fs::equivalent(folder, other); });
  });
}

// What stands for the * of `pattern` in `name`; none if it does not fit.
std::optional<std::string> star_of(const std::string& pattern, const std::string& name) {
  const std::size_t star = pattern.find('*');
  const std::string before = pattern.substr(0, star), after = pattern.substr(star + 1);
  if (name.size() <= before.size() + after.size() || !name.starts_with(before) || !name.ends_with(after))
    return std::nullopt;
  return name.substr(before.size(), name.size() - before.size() - after.size());
}

[[noreturn]] void unknown_baseline(const std::vector<ReportRow>& rows, const std::string& baseline) {
  std::vector<std::string> names;
  std::string list;
  for (const ReportRow& row : rows) {
    names.push_back(row.name);
    list += (list.empty() ? "" : ", ") + row.name;
  }
  const std::string near = nearest_word(baseline, names);
  throw Error(ErrorCode::kInvalidArgument,
              "option 'baseline': '" + baseline + "' is no row of the table and no folder" +
                  (near.empty() ? "" : "; did you mean '" + near + "'?") + " Rows: " + list + ".");
}

std::vector<std::optional<Baseline>> by_pattern(const std::vector<ReportRow>& rows,
                                                const std::string& pattern) {
  const std::size_t star = pattern.find('*');
  HYPERLLM_CHECK(pattern.find('*', star + 1) == pattern.npos, ErrorCode::kInvalidArgument,
                 "option 'baseline': '" + pattern + "' has more than one *; give a pattern such as *-base");
  std::vector<std::optional<Baseline>> found(rows.size());
  std::vector<bool> is_base(rows.size());
  std::vector<std::size_t> length(rows.size(), 0);
  for (std::size_t b = 0; b < rows.size(); ++b) is_base[b] = star_of(pattern, rows[b].name).has_value();
  for (std::size_t b = 0; b < rows.size(); ++b) {
    if (!is_base[b]) continue;
    // hgcf-base serves the rows that begin as it does up to the separator behind the star.
    const std::string stem = pattern.substr(0, star) + *star_of(pattern, rows[b].name);
    const std::string start = stem + pattern.substr(star + 1, 1);
    for (std::size_t r = 0; r < rows.size(); ++r)
      if (!is_base[r] && rows[r].name.starts_with(start) && stem.size() > length[r]) {
        found[r] = Baseline{rows[b].name, rows[b].folders};
        length[r] = stem.size();
      }
  }
  if (std::none_of(is_base.begin(), is_base.end(), [](bool base) { return base; }))
    unknown_baseline(rows, pattern);
  return found;
}

double mean_of(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

void correct(std::vector<Comparison>& comparisons, double metrics::PairedTest::*p) {
  std::vector<double> values;
  for (const Comparison& c : comparisons) values.push_back(c.test.*p);
  const std::vector<double> corrected = metrics::holm(values);
  for (std::size_t i = 0; i < comparisons.size(); ++i) comparisons[i].test.*p = corrected[i];
}

}  // namespace

void check_same_users(const PerUser& a, const PerUser& b, const fs::path& folder) {
  HYPERLLM_CHECK(a.users == b.users, ErrorCode::kInvalidData,
                 folder.string() +
                     ": its users are not those of the runs beside it, so users cannot be "
                     "paired. Evaluate all runs on one dataset and split.");
}

std::vector<std::optional<Baseline>> baselines_of(const std::vector<ReportRow>& rows,
                                                  const ReportOptions& options) {
  const std::string& asked = options.baseline;
  if (asked.empty()) return std::vector<std::optional<Baseline>>(rows.size());
  if (asked.find('*') != asked.npos) return by_pattern(rows, asked);
  Baseline base;
  for (const ReportRow& row : rows)
    if (row.name == asked) base = {row.name, row.folders};
  if (base.folders.empty()) {
    if (!fs::exists(asked)) unknown_baseline(rows, asked);
    base = {metrics::run_name(asked), evaluated_folders(asked, options.split)};
  }
  std::vector<std::optional<Baseline>> found;
  for (const ReportRow& row : rows)
    found.push_back(share_a_folder(base.folders, row.folders) ? std::nullopt : std::optional(base));
  return found;
}

const PerUser& UserValues::of(const std::vector<fs::path>& folders) {
  const auto found = loaded_.find(folders.front());
  return found != loaded_.end() ? found->second
                                : loaded_.emplace(folders.front(), average(folders, split_)).first->second;
}

std::vector<Comparison> compare(const std::vector<ReportRow>& rows,
                                const std::vector<std::optional<Baseline>>& baselines, UserValues& values,
                                const ReportOptions& options) {
  std::vector<Comparison> comparisons;
  for (std::size_t r = 0; r < rows.size(); ++r) {
    if (!baselines[r]) continue;
    const PerUser& base = values.of(baselines[r]->folders);
    const PerUser& other = values.of(rows[r].folders);
    check_same_users(base, other, rows[r].folders.front());
    for (const std::string& column : base.columns) {
      if (std::find(other.columns.begin(), other.columns.end(), column) == other.columns.end()) continue;
      const std::vector<double> a = base.column(column), b = other.column(column);
      const double before = mean_of(a);
      comparisons.push_back(
          {rows[r].name, baselines[r]->name, column,
           metrics::paired_test(a, b, options.resamples, static_cast<std::uint64_t>(options.seed)),
           before > 0 ? mean_of(b) / before - 1 : std::numeric_limits<double>::quiet_NaN()});
    }
  }
  correct(comparisons, &metrics::PairedTest::t_test_p);
  correct(comparisons, &metrics::PairedTest::wilcoxon_p);
  return comparisons;
}

}  // namespace hyperllm::stages::report
