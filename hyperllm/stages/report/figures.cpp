#include "hyperllm/stages/report/figures.h"

#include <algorithm>

#include "hyperllm/base/error.h"

namespace hyperllm::stages::report {
namespace {

void check_metric(const FigureInput& input) {
  const auto& columns = input.result.columns;
  const std::string& metric = input.options.metric;
  if (std::find(columns.begin(), columns.end(), metric) != columns.end()) return;
  std::string known;
  for (const std::string& column : columns) known += (known.empty() ? "" : ", ") + column;
  const std::string near = nearest_word(metric, columns);
  throw Error(ErrorCode::kInvalidArgument, "option 'metric': no run has '" + metric + "'; " +
                                               (near.empty() ? "" : "did you mean '" + near + "'? ") +
                                               "They have " + known + ".");
}

}  // namespace

std::vector<std::string> groups_of(const std::vector<Series>& series) {
  std::vector<std::string> groups;
  for (const Series& one : series)
    if (std::find(groups.begin(), groups.end(), one.group) == groups.end()) groups.push_back(one.group);
  return groups;
}

std::vector<const Series*> of_group(const std::vector<Series>& series, const std::string& group) {
  std::vector<const Series*> found;
  for (const Series& one : series)
    if (one.group == group) found.push_back(&one);
  return found;
}

void write_figures(const FigureInput& input, ReportResult& result, const Context& context) {
  check_metric(input);
  FigureWriter writer(input.options.figures, context);
  write_ablation(input, writer);
  write_curves(input, writer, context);
  write_groups(input, writer, context);
  result.hierarchy = write_dendrograms(input, writer, context);
}

}  // namespace hyperllm::stages::report
