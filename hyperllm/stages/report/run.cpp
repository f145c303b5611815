#include "hyperllm/stages/report/run.h"

#include <algorithm>
#include <map>
#include <utility>

#include "hyperllm/artifact/manifest.h"
#include "hyperllm/base/error.h"
#include "hyperllm/base/files.h"
#include "hyperllm/stages/report/collect.h"
#include "hyperllm/stages/report/compare.h"
#include "hyperllm/stages/report/figures.h"
#include "hyperllm/stages/report/published.h"
#include "hyperllm/stages/report/tables.h"
#include "hyperllm/stages/report/training_record.h"

namespace hyperllm::stages::report {
namespace {

namespace fs = std::filesystem;

const std::vector<std::string> kTables = {"datasets", "results", "training"};

bool wants(const ReportOptions& options, const std::string& table) {
  return std::find(options.tables.begin(), options.tables.end(), table) != options.tables.end();
}

// The dataset that the runs were evaluated on, as their manifests name it.
fs::path dataset_of(const ReportResult& result, const ReportOptions& options) {
  for (const ReportRow& row : result.rows) {
    const fs::path manifest = row.folders.front() / ("evaluate." + options.split + ".manifest.json");
    const auto recorded = artifact::recorded(manifest).options;
    if (const auto found = recorded.find("dataset");
        found != recorded.end() && fs::is_directory(found->second))
      return found->second;
  }
  throw Error(
      ErrorCode::kInvalidArgument,
      "option 'dataset' is missing, and no manifest of the runs names a dataset that is here; give the "
      "dataset folder with --dataset");
}

void measure_datasets(const ReportOptions& options, ReportResult& result) {
  std::vector<fs::path> folders(options.dataset.begin(), options.dataset.end());
  if (folders.empty()) folders.push_back(dataset_of(result, options));
  for (const fs::path& folder : folders) result.datasets.push_back(data::measure_folder(folder));
}

// None unless every run has the value.
template <typename Get>
std::optional<ReportCell> over_runs(const std::vector<TrainingRecord>& records, Get get) {
  std::vector<double> values;
  for (const TrainingRecord& record : records) {
    const std::optional<double> value = get(record);
    if (record.model.empty() || !value) return std::nullopt;
    values.push_back(*value);
  }
  return cell_of(values);
}

// Adds the folders whose times are extrapolated to `extrapolated`.
TrainingRow training_of(const ReportRow& row, std::string& extrapolated) {
  std::vector<TrainingRecord> records;
  for (const fs::path& folder : row.folders) {
    records.push_back(load_training_record(folder));
    if (records.back().extrapolated)
      extrapolated += (extrapolated.empty() ? "" : ", ") + metrics::run_name(folder);
  }
  // A baseline has none.
  const auto if_epochs = [](const TrainingRecord& record, std::int64_t count) {
    return record.epochs > 0 ? std::optional<double>(static_cast<double>(count)) : std::nullopt;
  };
  TrainingRow result;
  result.run = row.name;
  result.epochs = over_runs(records, [&](const TrainingRecord& r) { return if_epochs(r, r.epochs); });
  result.best_epoch = over_runs(records, [&](const TrainingRecord& r) { return if_epochs(r, r.best_epoch); });
  result.seconds = over_runs(records, [](const TrainingRecord& r) { return r.seconds_at(r.epochs); });
  result.seconds_to_best =
      over_runs(records, [](const TrainingRecord& r) { return r.seconds_at(r.best_epoch); });
  return result;
}

void add_published(const ReportOptions& options, const std::string& dataset, ReportResult& result) {
  Published published;
  if (!options.published.empty())
    published = load_published(options.published,
                               options.published_dataset.empty() ? dataset : options.published_dataset);
  const auto of = [&](const std::string& run, const std::string& metric) {
    const auto found = published.find({run, metric});
    return found == published.end() ? std::nullopt : std::optional<double>(found->second);
  };
  for (ReportRow& row : result.rows)
    for (const std::string& column : result.columns) row.published.push_back(of(row.name, column));
  for (TrainingRow& row : result.training) row.published_seconds = of(row.run, "seconds");
}

// Rows by model: those of a model with epochs together, the others as one group.
std::vector<Series> series_of(const ReportResult& result,
                              const std::vector<std::optional<Baseline>>& baselines) {
  std::vector<Series> all;
  for (std::size_t r = 0; r < result.rows.size(); ++r) {
    const ReportRow& row = result.rows[r];
    Series series{"", row.name, &row, baselines[r], {}};
    for (const fs::path& folder : row.folders) series.records.push_back(load_training_record(folder));
    const TrainingRecord& first = series.records.front();
    series.group = first.curve.empty() ? "baselines" : first.model;
    const std::string prefix = series.group + "-";
    if (row.name.starts_with(prefix) && row.name.size() > prefix.size())
      series.label = row.name.substr(prefix.size());
    all.push_back(std::move(series));
  }
  // A row called kar and one called hgcf-kar are told apart by their whole names.
  std::map<std::pair<std::string, std::string>, int> uses;
  for (const Series& series : all) ++uses[{series.group, series.label}];
  for (Series& series : all)
    if (uses[{series.group, series.label}] > 1) series.label = series.row->name;
  return all;
}

fs::path dataset_of_figures(const ReportResult& result, const ReportOptions& options) {
  HYPERLLM_CHECK(options.dataset.size() <= 1, ErrorCode::kInvalidArgument,
                 "option 'dataset': figures are of one dataset; give the folder of the runs alone");
  return options.dataset.empty() ? dataset_of(result, options) : fs::path(options.dataset.front());
}

void report_runs(const ReportOptions& options, const Context& context, ReportResult& result) {
  const std::string dataset = collect(options.runs, options.split, result);
  const auto baselines = baselines_of(result.rows, options);
  UserValues values(options.split);
  if (wants(options, "results") && !options.baseline.empty())
    result.comparisons = compare(result.rows, baselines, values, options);
  if (wants(options, "training")) {
    std::string extrapolated;
    for (const ReportRow& row : result.rows) result.training.push_back(training_of(row, extrapolated));
    if (!extrapolated.empty())
      result.warnings.push_back(
          "stopped and continued, so that seconds are those of the epochs that the last call "
          "timed, scaled to all of them: " +
          extrapolated);
  }
  add_published(options, dataset, result);
  if (!options.figures.empty())
    write_figures(
        {result, options, series_of(result, baselines), dataset_of_figures(result, options), values}, result,
        context);
}

}  // namespace

void check(ReportOptions options) {
  check_fields(options.fields());
  HYPERLLM_CHECK(!options.tables.empty(), ErrorCode::kInvalidArgument,
                 "option 'tables': expected any of datasets, results, training, got nothing");
  for (const std::string& table : options.tables)
    if (std::find(kTables.begin(), kTables.end(), table) == kTables.end()) {
      const std::string near = nearest_word(table, kTables);
      throw Error(ErrorCode::kInvalidArgument,
                  "option 'tables': expected any of datasets, results, training, got '" + table + "'" +
                      (near.empty() ? "" : "; did you mean '" + near + "'?"));
    }
  const bool only_datasets =
      options.tables == std::vector<std::string>{"datasets"} && !options.dataset.empty();
  HYPERLLM_CHECK(!options.runs.empty() || only_datasets, ErrorCode::kInvalidArgument,
                 "no run given; name at least one run folder");
  HYPERLLM_CHECK(!options.runs.empty() || options.figures.empty(), ErrorCode::kInvalidArgument,
                 "option 'figures' needs runs; name at least one run folder");
  HYPERLLM_CHECK(options.published_dataset.empty() || !options.published.empty(), ErrorCode::kInvalidArgument,
                 "option 'published_dataset' is of use with 'published' alone; give both, or none");
  HYPERLLM_CHECK(options.published.empty() || fs::exists(options.published), ErrorCode::kIo,
                 options.published.string() +
                     ": No such file. Give a TSV with the columns dataset, run, metric, value.");
}

ReportResult run(const ReportOptions& options, const Context& context) {
  check(options);
  ReportResult result;
  if (!options.runs.empty()) report_runs(options, context, result);
  if (wants(options, "datasets")) measure_datasets(options, result);
  for (const std::string& warning : result.warnings) context.warn(warning);
  result.text = tables_text(result, options);
  if (!options.output.empty()) write_file(options.output, result.text);
  return result;
}

}  // namespace hyperllm::stages::report
