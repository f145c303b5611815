// `hyperllm report`: the paper's tables of evaluated runs, and how sure their differences are.
// docs/figures.md describes them.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "hyperllm/base/progress.h"
#include "hyperllm/clustering/agreement.h"
#include "hyperllm/data/statistics.h"
#include "hyperllm/metrics/significance.h"
#include "hyperllm/stages/report/options.h"

namespace hyperllm::stages::report {

struct ReportCell {
  double mean = 0;                  // over the runs of the row
  std::optional<double> deviation;  // sample standard deviation; none for a single run
};

struct ReportRow {
  std::string name;
  std::vector<std::filesystem::path> folders;         // several where seeds are averaged
  std::vector<std::optional<ReportCell>> cells;       // per column; none where a run lacks the metric
  std::vector<std::optional<double>> published = {};  // per column
};

struct Comparison {
  std::string run;
  std::string baseline;
  std::string metric;
  metrics::PairedTest test;  // run minus baseline, p values already corrected by Holm over all comparisons
  double gain = 0;           // mean of the run over mean of the baseline, minus 1; NaN over a mean of 0
};

// A row of the paper's Table 4 on time; none where a run left no such record.
struct TrainingRow {
  std::string run;
  std::optional<ReportCell> epochs, best_epoch;
  std::optional<ReportCell> seconds;          // of training: samples, steps, validations, phase 1 included
  std::optional<ReportCell> seconds_to_best;  // until the end of the best epoch
  std::optional<double> published_seconds;
};

// Numbers beside the dendrogram of a row's first run.
struct HierarchyRow {
  std::string run;
  std::string coordinates;
  std::int64_t items = 0;
  double cophenetic = 0;                           // clustering::cophenetic_correlation
  std::optional<clustering::LabelAgreement> tags;  // none without tags in the dataset
};

struct ReportResult {
  std::vector<std::string> columns;  // all metrics, in order of first appearance
  std::vector<ReportRow> rows;       // in the order given
  std::vector<Comparison> comparisons;
  std::vector<data::Statistics> datasets;
  std::vector<TrainingRow> training;
  std::vector<HierarchyRow> hierarchy;  // only with figures
  std::vector<std::string> warnings;    // what to know when comparing: other masks, extrapolated times
  std::string text;
};

// Throws kInvalidArgument for options that cannot work, whatever the runs; kIo for a missing table of
// published values.
void check(ReportOptions options);

// Throws kInvalidArgument (no run, a run given twice, bad options, a baseline that is no row and no folder),
// kIo (a run without evaluation), kInvalidData (damaged files; runs of different datasets or splits; users
// that differ between runs under test). Writes `output` and each figure atomically.
ReportResult run(const ReportOptions& options, const Context& context);

}  // namespace hyperllm::stages::report
