#include "hyperllm/stages/report/run.h"

#include <algorithm>
#include <utility>

#include "hyperllm/base/error.h"
#include "hyperllm/base/files.h"
#include "hyperllm/metrics/evaluation_files.h"
#include "hyperllm/stages/report/collect.h"
#include "hyperllm/stages/report/compare.h"
#include "hyperllm/stages/report/table.h"

namespace hyperllm::stages::report {
namespace {

void check_options(ReportOptions options) {
  check_fields(options.fields());
  HYPERLLM_CHECK(!options.runs.empty(), ErrorCode::kInvalidArgument,
                 "no run given; name at least one run folder");
}

// All metrics are better when larger. With one row there is nothing to be best of.
std::vector<double> best_means(const ReportResult& result) {
  std::vector<double> best(result.columns.size(), -1);
  for (const ReportRow& row : result.rows)
    for (std::size_t c = 0; c < best.size(); ++c)
      if (row.cells[c]) best[c] = std::max(best[c], row.cells[c]->mean);
  return best;
}

std::string cell_text(const ReportCell& cell, bool best, Format format, std::int64_t digits) {
  std::string text = fixed(cell.mean, digits);
  if (cell.deviation) text += " \u00b1 " + fixed(*cell.deviation, digits);
  if (format == Format::kMarkdown) return best ? "**" + text + "**" : text;
  return text + (best ? "*" : " ");
}

std::string row_name(const ReportRow& row) {
  return row.folders.size() > 1 ? row.name + " (" + std::to_string(row.folders.size()) + " seeds)" : row.name;
}

Table means_table(const ReportResult& result, Format format, std::int64_t digits) {
  Table table;
  table.header = {"run"};
  table.header.insert(table.header.end(), result.columns.begin(), result.columns.end());
  const std::vector<double> best = best_means(result);
  for (const ReportRow& row : result.rows) {
    std::vector<std::string> cells = {row_name(row)};
    for (std::size_t c = 0; c < best.size(); ++c)
      cells.push_back(row.cells[c]
                          ? cell_text(*row.cells[c], result.rows.size() > 1 && row.cells[c]->mean == best[c],
                                      format, digits)
                          : "-");
    table.rows.push_back(std::move(cells));
  }
  return table;
}

Table exact_table(const ReportResult& result) {
  Table table;
  table.header = {"run", "runs"};
  for (const std::string& column : result.columns) {
    table.header.push_back(column);
    table.header.push_back(column + ".sd");
  }
  for (const ReportRow& row : result.rows) {
    std::vector<std::string> cells = {row.name, std::to_string(row.folders.size())};
    for (const auto& cell : row.cells) {
      cells.push_back(cell ? exact(cell->mean) : "");
      cells.push_back(cell && cell->deviation ? exact(*cell->deviation) : "");
    }
    table.rows.push_back(std::move(cells));
  }
  return table;
}

Table comparison_table(const std::vector<Comparison>& comparisons, Format format, std::int64_t digits) {
  const bool tsv = format == Format::kTsv;
  Table table;
  table.header = {"run", "metric", "difference", "95 % low", "95 % high", "t-test p", "Wilcoxon p"};
  for (const Comparison& c : comparisons) {
    std::vector<std::string> cells = {c.run, c.metric};
    for (const double value : {c.test.mean_difference, c.test.low, c.test.high})
      cells.push_back(tsv ? exact(value) : (value > 0 ? "+" : "") + fixed(value, digits));
    for (const double p : {c.test.t_test_p, c.test.wilcoxon_p}) cells.push_back(tsv ? exact(p) : p_text(p));
    table.rows.push_back(std::move(cells));
  }
  return table;
}

std::string make_text(const ReportResult& result, const ReportOptions& options) {
  const Format format = format_by_name(options.format);
  if (format == Format::kTsv) {
    std::string text = format_table(exact_table(result), format);
    if (!options.baseline.empty())
      text += "\n" + format_table(comparison_table(result.comparisons, format, options.digits), format);
    return text;
  }
  std::string text = format_table(means_table(result, format, options.digits), format);
  for (const std::string& warning : result.warnings) text += "\nNote: " + warning + ".\n";
  if (options.baseline.empty()) return text;
  text += "\nDifference from " + metrics::run_name(options.baseline) +
          ", paired by user; 95 % intervals by bootstrap (" + std::to_string(options.resamples) +
          " samples, seed " + std::to_string(options.seed) + "); p values corrected by Holm over " +
          std::to_string(result.comparisons.size()) + " comparisons\n\n";
  return text + format_table(comparison_table(result.comparisons, format, options.digits), format);
}

}  // namespace

ReportResult run(const ReportOptions& options, const Context& context) {
  check_options(options);
  ReportResult result;
  collect(options.runs, options.split, result);
  for (const std::string& warning : result.warnings) context.warn(warning);
  if (!options.baseline.empty()) result.comparisons = compare(result.rows, options);
  result.text = make_text(result, options);
  if (!options.output.empty()) write_file(options.output, result.text);
  return result;
}

}  // namespace hyperllm::stages::report
