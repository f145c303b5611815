// The paper's figures of evaluated runs. docs/figures.md shows them.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "hyperllm/stages/report/compare.h"
#include "hyperllm/stages/report/figure_writer.h"
#include "hyperllm/stages/report/run.h"
#include "hyperllm/stages/report/training_record.h"

namespace hyperllm::stages::report {

// A row of the table as figures see it.
struct Series {
  std::string group;  // rows of one picture: the model; "baselines" for what has no epochs
  std::string label;  // its name without the group's: hgcf-kar is "kar"
  const ReportRow* row = nullptr;
  std::optional<Baseline> baseline;
  std::vector<TrainingRecord> records;  // of its folders
};

struct FigureInput {
  const ReportResult& result;
  const ReportOptions& options;
  std::vector<Series> series;
  std::filesystem::path dataset;
  UserValues& values;
};

// Figures 2 to 5 and the numbers beside Figure 5. What cannot be drawn for want of files is left out with a
// warning. Throws kInvalidArgument for a metric that no run has, kInvalidData for a dataset that is not the
// runs', and what the parts throw.
void write_figures(const FigureInput& input, ReportResult& result, const Context& context);

// The parts, one file each.
void write_ablation(const FigureInput& input, FigureWriter& writer);
void write_curves(const FigureInput& input, FigureWriter& writer, const Context& context);
void write_groups(const FigureInput& input, FigureWriter& writer, const Context& context);
std::vector<HierarchyRow> write_dendrograms(const FigureInput& input, FigureWriter& writer,
                                            const Context& context);

// Distinct groups in order of first appearance, and the series of one.
std::vector<std::string> groups_of(const std::vector<Series>& series);
std::vector<const Series*> of_group(const std::vector<Series>& series, const std::string& group);

}  // namespace hyperllm::stages::report
