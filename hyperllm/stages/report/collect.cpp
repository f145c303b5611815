#include "hyperllm/stages/report/collect.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>
#include <utility>

#include "hyperllm/artifact/manifest.h"
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
  return report::cell_of(values);
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

// Hashes of the interactions that the evaluation saw, by split; none if its manifest is not there.
std::map<std::string, std::string> interactions_of(const fs::path& folder, const std::string& split) {
  std::map<std::string, std::string> hashes;
  for (const auto& [file, hash] :
       artifact::recorded(folder / ("evaluate." + split + ".manifest.json")).inputs)
    for (const char* part : {".train.inter", ".valid.inter", ".test.inter"})
      if (file.ends_with(part)) hashes[part] = hash;
  return hashes;
}

[[noreturn]] void refuse(const fs::path& folder, const fs::path& first, const std::string& what) {
  throw Error(ErrorCode::kInvalidData,
              folder.string() + ": " + what + " than " + first.string() +
                  " has; the two do not compare. Make a report of each, or evaluate both on one dataset.");
}

// Datasets are told by content where manifests say what was read, else by name and number of users.
void check_comparable(const std::vector<Group>& groups, const std::string& split) {
  const Evaluation& first = groups.front().evaluations.front();
  const fs::path& first_folder = groups.front().folders.front();
  const auto first_hashes = interactions_of(first_folder, split);
  for (const Group& group : groups)
    for (std::size_t i = 0; i < group.folders.size(); ++i) {
      const fs::path& folder = group.folders[i];
      const Evaluation& other = group.evaluations[i];
      HYPERLLM_CHECK(other.split == split, ErrorCode::kInvalidData,
                     metrics::evaluation_path(folder, split).string() + ": is of the split '" + other.split +
                         "'. Evaluate the run again.");
      const auto hashes = interactions_of(folder, split);
      if (hashes != first_hashes && !hashes.empty() && !first_hashes.empty())
        refuse(folder, first_folder, "was evaluated on other interactions (another dataset or split)");
      const bool known = !hashes.empty() && !first_hashes.empty();
      if (!known && other.dataset != first.dataset)
        refuse(folder, first_folder, "has another dataset, " + other.dataset + ",");
      if (other.users != first.users)
        refuse(folder, first_folder, "has other users, " + std::to_string(other.users) + ",");
    }
}

std::vector<std::string> differences(const std::vector<Group>& groups) {
  const Evaluation& first = groups.front().evaluations.front();
  std::vector<std::string> found;
  for (const Group& group : groups)
    for (std::size_t i = 0; i < group.folders.size(); ++i)
      if (group.evaluations[i].mask != first.mask)
        found.push_back(group.folders[i].string() + ": mask " + group.evaluations[i].mask +
                        ", the first run has " + first.mask + "; the two do not compare");
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

ReportCell cell_of(const std::vector<double>& values) {
  ReportCell cell;
  const auto n = static_cast<double>(values.size());
  for (const double value : values) cell.mean += value / n;
  if (values.size() < 2) return cell;
  double squares = 0;
  for (const double value : values) squares += (value - cell.mean) * (value - cell.mean);
  cell.deviation = std::sqrt(squares / (n - 1));
  return cell;
}

std::string collect(const std::vector<std::string>& runs, const std::string& split, ReportResult& result) {
  std::vector<Group> groups;
  for (const std::string& run : runs)
    for (const fs::path& folder : evaluated_folders(run, split)) add_run(groups, folder, split);
  check_comparable(groups, split);
  result.columns = all_columns(groups);
  for (const Group& group : groups) {
    ReportRow row;
    row.folders = group.folders;
    for (const std::string& column : result.columns) row.cells.push_back(cell_of(group, column));
    result.rows.push_back(std::move(row));
  }
  name_rows(groups, result.rows);
  result.warnings = differences(groups);
  return groups.front().evaluations.front().dataset;
}

}  // namespace hyperllm::stages::report
