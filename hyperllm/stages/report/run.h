// `hyperllm report`: evaluated runs side by side, and how sure their differences are.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "hyperllm/base/progress.h"
#include "hyperllm/metrics/significance.h"
#include "hyperllm/stages/report/options.h"

namespace hyperllm::stages::report {

struct ReportCell {
  double mean = 0;                  // over the runs of the row
  std::optional<double> deviation;  // sample standard deviation; none for a single run
};

struct ReportRow {
  std::string name;
  std::vector<std::filesystem::path> folders;    // several where seeds are averaged
  std::vector<std::optional<ReportCell>> cells;  // per column; none where a run lacks the metric
};

struct Comparison {
  std::string run;
  std::string metric;
  metrics::PairedTest test;  // run minus baseline, p values already corrected by Holm over all comparisons
};

struct ReportResult {
  std::vector<std::string> columns;  // all metrics, in order of first appearance
  std::vector<ReportRow> rows;       // in the order given
  std::vector<Comparison> comparisons;
  std::vector<std::string> warnings;  // why runs may not be comparable: other dataset, mask or users
  std::string text;
};

// Throws kInvalidArgument (no run, a run given twice, bad options), kIo (a run without evaluation),
// kInvalidData (damaged files; users that differ between runs under test). Writes `output` atomically.
ReportResult run(const ReportOptions& options, const Context& context);

}  // namespace hyperllm::stages::report
