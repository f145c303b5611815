#include "hyperllm/stages/report/collect.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <utility>

#include "hyperllm/base/error.h"
#include "hyperllm/base/file_set.h"
#include "hyperllm/metrics/evaluation_files.h"

namespace hyperllm::stages::report {
namespace {

namespace fs = std::filesystem;
using metrics::Evaluation;

constexpr std::string_view kSeed = "seed-";

// The N of a folder called seed-N, -1 for any other.
std::int64_t seed_of(const fs::path& folder) {
  const std::string name = folder.filename().string();
  std::int64_t seed = -1;
  if (!name.starts_with(kSeed)) return -1;
  const auto [end, error] = std::from_chars(name.data() + kSeed.size(), name.data() + name.size(), seed);
  return error == std::errc{} && end == name.data() + name.size() ? seed : -1;
}

fs::path whole_path(const fs::path& folder) {
  const fs::path whole = fs::weakly_canonical(folder);
  return whole.has_filename() ? whole : whole.parent_path();
}

// Runs with one group make one row.
fs::path group_of(const fs::path& folder) {
  const fs::path whole = whole_path(folder);
  return seed_of(whole) >= 0 ? whole.parent_path() : whole;
}

struct Group {
  fs::path folder;
  std::vector<fs::path> folders;
  std::vector<Evaluation> evaluations;
};

void add_run(std::vector<Group>& groups, const fs::path& folder, const std::string& split) {
  const fs::path key = group_of(folder);
  auto group = std::find_if(groups.begin(), groups.end(), [&](const Group& g) { return g.folder == key; });
  if (group == groups.end()) group = groups.insert(groups.end(), Group{key, {}, {}});
  for (const fs::path& earlier : group->folders)
    HYPERLLM_CHECK(whole_path(earlier) != whole_path(folder), ErrorCode::kInvalidArgument,
                   folder.string() + ": this run is given twice");
  group->folders.push_back(folder);
  group->evaluations.push_back(metrics::load_evaluation(metrics::evaluation_path(folder, split)));
}

std::optional<double> metric_of(const Evaluation& evaluation, const std::string& column) {
  for (const auto& [name, value] : evaluation.metrics)
    if (name == column) return value;
  return std::nullopt;
}

// None unless every run of the group has the metric.
std::optional<ReportCell> cell_of(const Group& group, const std::string& column) {
  std::vector<double> values;
  for (const Evaluation& evaluation : group.evaluations) {
    const auto value = metric_of(evaluation, column);
    if (!value) return std::nullopt;
    values.push_back(*value);
  }
  ReportCell cell;
  const auto n = static_cast<double>(values.size());
  for (const double value : values) cell.mean += value / n;
  if (values.size() < 2) return cell;
  double squares = 0;
  for (const double value : values) squares += (value - cell.mean) * (value - cell.mean);
  cell.deviation = std::sqrt(squares / (n - 1));
  return cell;
}

std::vector<std::string> all_columns(const std::vector<Group>& groups) {
  std::vector<std::string> columns;
  for (const Group& group : groups)
    for (const Evaluation& evaluation : group.evaluations)
      for (const auto& [name, value] : evaluation.metrics)
        if (std::find(columns.begin(), columns.end(), name) == columns.end()) columns.push_back(name);
  return columns;
}

// Short names where they tell the rows apart, else the folders.
void name_rows(const std::vector<Group>& groups, std::vector<ReportRow>& rows) {
  for (std::size_t i = 0; i < groups.size(); ++i) {
    const auto same = [&](const Group& g) { return g.folder.filename() == groups[i].folder.filename(); };
    rows[i].name = std::count_if(groups.begin(), groups.end(), same) > 1
                       ? groups[i].folder.string()
                       : groups[i].folder.filename().string();
  }
}

std::vector<std::string> differences(const std::vector<Group>& groups) {
  const Evaluation& first = groups.front().evaluations.front();
  std::vector<std::string> found;
  const auto compare = [&](const fs::path& folder, const char* what, const std::string& mine,
                           const std::string& theirs) {
    if (mine != theirs)
      found.push_back(folder.string() + ": " + what + " " + mine + ", the first run has " + theirs +
                      "; the two do not compare");
  };
  for (const Group& group : groups)
    for (std::size_t i = 0; i < group.folders.size(); ++i) {
      const Evaluation& other = group.evaluations[i];
      compare(group.folders[i], "dataset", other.dataset, first.dataset);
      compare(group.folders[i], "mask", other.mask, first.mask);
      compare(group.folders[i], "users", std::to_string(other.users), std::to_string(first.users));
    }
  return found;
}

bool has_evaluation(const fs::path& run, const std::string& split) {
  finish_commit(run);
  return fs::exists(metrics::evaluation_path(run, split));
}

}  // namespace

std::vector<fs::path> evaluated_folders(const fs::path& run, const std::string& split) {
  if (has_evaluation(run, split)) return {run};
  std::vector<fs::path> seeds;
  if (fs::is_directory(run))
    for (const auto& entry : fs::directory_iterator(run))
      if (seed_of(entry.path()) >= 0 && has_evaluation(entry.path(), split)) seeds.push_back(entry.path());
  HYPERLLM_CHECK(!seeds.empty(), ErrorCode::kIo,
                 run.string() + ": holds no evaluation." + split +
                     ".json and no seed-N folder with one. Run `evaluate` on it first.");
  std::sort(seeds.begin(), seeds.end(),
            [](const fs::path& a, const fs::path& b) { return seed_of(a) < seed_of(b); });
  return seeds;
}

void collect(const std::vector<std::string>& runs, const std::string& split, ReportResult& result) {
  std::vector<Group> groups;
  for (const std::string& run : runs)
    for (const fs::path& folder : evaluated_folders(run, split)) add_run(groups, folder, split);
  result.columns = all_columns(groups);
  for (const Group& group : groups) {
    ReportRow row;
    row.folders = group.folders;
    for (const std::string& column : result.columns) row.cells.push_back(cell_of(group, column));
    result.rows.push_back(std::move(row));
  }
  name_rows(groups, result.rows);
  result.warnings = differences(groups);
}

}  // namespace hyperllm::stages::report
