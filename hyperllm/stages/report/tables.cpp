#include "hyperllm/stages/report/tables.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <set>
#include <utility>

#include "hyperllm/data/numbers.h"

namespace hyperllm::stages::report {
namespace {

using Row = std::vector<TableCell>;

std::string exact(double value) {
  std::string text;
  data::append_number(text, value);
  return text;
}

// Two significant digits, "<1e-10" below that.
std::string p_text(double p) {
  if (p < 1e-10) return "<1e-10";
  char text[32];
  std::snprintf(text, sizeof text, "%.2g", p);
  return text;
}

std::string signed_text(double value, std::int64_t digits) {
  return (value > 0 ? "+" : "") + fixed(value, digits);
}

class Tables {
 public:
  Tables(const ReportResult& result, const ReportOptions& options)
      : result_(result), options_(options), style_(table_style(options.format)) {}

  std::string text() {
    if (!result_.datasets.empty()) {
      add("", data::statistics_table(result_.datasets, style_));
      const auto has_tags = [](const data::Statistics& s) { return s.tags.has_value(); };
      if (std::any_of(result_.datasets.begin(), result_.datasets.end(), has_tags))
        add("", data::tag_statistics_table(result_.datasets, style_));
    }
    if (wants("results")) add("", exact_style() ? exact_means() : means());
    if (wants("results") && !options_.baseline.empty()) add(comparison_caption(), comparisons());
    if (wants("training")) add("", training());
    if (!result_.hierarchy.empty()) add("", hierarchy());
    if (!exact_style())
      for (const std::string& warning : result_.warnings)
        text_ += "\n" + comment() + "Note: " + warning + ".\n";
    return text_;
  }

 private:
  bool exact_style() const { return is_exact(style_); }
  bool wants(const char* table) const {
    return std::find(options_.tables.begin(), options_.tables.end(), table) != options_.tables.end();
  }
  std::string comment() const { return style_ == TableStyle::kLatex ? "% " : ""; }

  void add(const std::string& caption, const TextTable& table) {
    if (!text_.empty()) text_ += "\n";
    if (!caption.empty() && !exact_style())
      text_ += comment() + caption + (style_ == TableStyle::kLatex ? "\n" : "\n\n");
    text_ += format_table(table, style_);
  }

  TableCell nothing() const { return exact_style() ? "" : "-"; }

  std::string value_text(double value, std::int64_t digits) const {
    return exact_style() ? exact(value) : fixed(value, digits);
  }

  std::string cell_text(const ReportCell& cell, std::int64_t digits) const {
    return fixed(cell.mean, digits) + (cell.deviation ? " \u00b1 " + fixed(*cell.deviation, digits) : "");
  }

  static std::string row_name(const ReportRow& row) {
    return row.folders.size() > 1 ? row.name + " (" + std::to_string(row.folders.size()) + " seeds)"
                                  : row.name;
  }

  // All metrics are better when larger. With one row there is nothing to be best of.
  std::vector<double> best_means() const {
    std::vector<double> best(result_.columns.size(), -1);
    for (const ReportRow& row : result_.rows)
      for (std::size_t c = 0; c < best.size(); ++c)
        if (row.cells[c] && result_.rows.size() > 1) best[c] = std::max(best[c], row.cells[c]->mean);
    return best;
  }

  bool has_published(std::size_t column) const {
    return std::any_of(result_.rows.begin(), result_.rows.end(),
                       [&](const ReportRow& row) { return row.published[column].has_value(); });
  }

  TextTable means() const {
    TextTable table;
    table.header = {"run"};
    for (std::size_t c = 0; c < result_.columns.size(); ++c) {
      table.header.push_back(result_.columns[c]);
      if (has_published(c)) table.header.push_back("published");
    }
    const std::vector<double> best = best_means();
    for (const ReportRow& row : result_.rows) {
      Row cells = {row_name(row)};
      for (std::size_t c = 0; c < best.size(); ++c) {
        cells.push_back(
            row.cells[c] ? TableCell(cell_text(*row.cells[c], options_.digits), row.cells[c]->mean == best[c])
                         : nothing());
        if (has_published(c))
          cells.push_back(row.published[c] ? TableCell(fixed(*row.published[c], options_.digits))
                                           : nothing());
      }
      table.rows.push_back(std::move(cells));
    }
    return table;
  }

  void add_exact(const std::optional<ReportCell>& cell, Row& cells) const {
    cells.push_back(cell ? exact(cell->mean) : "");
    cells.push_back(cell && cell->deviation ? exact(*cell->deviation) : "");
  }

  TextTable exact_means() const {
    TextTable table;
    table.header = {"run", "runs"};
    for (std::size_t c = 0; c < result_.columns.size(); ++c) {
      for (const char* suffix : {"", ".sd"}) table.header.push_back(result_.columns[c] + suffix);
      if (has_published(c)) table.header.push_back(result_.columns[c] + ".published");
    }
    for (const ReportRow& row : result_.rows) {
      Row cells = {row.name, std::to_string(row.folders.size())};
      for (std::size_t c = 0; c < result_.columns.size(); ++c) {
        add_exact(row.cells[c], cells);
        if (has_published(c)) cells.push_back(row.published[c] ? exact(*row.published[c]) : "");
      }
      table.rows.push_back(std::move(cells));
    }
    return table;
  }

  std::string comparison_caption() const {
    std::set<std::string> names;
    for (const Comparison& c : result_.comparisons) names.insert(c.baseline);
    const std::string base = names.size() == 1 ? *names.begin() : options_.baseline;
    return "Difference from " + base + ", paired by user; 95 % intervals by bootstrap (" +
           std::to_string(options_.resamples) + " samples, seed " + std::to_string(options_.seed) +
           "); p values corrected by Holm over " + std::to_string(result_.comparisons.size()) +
           " comparisons";
  }

  TextTable comparisons() const {
    TextTable table;
    table.header = {"run",      "baseline",  "metric",   "difference", "gain",
                    "95 % low", "95 % high", "t-test p", "Wilcoxon p"};
    table.left = 3;
    for (const Comparison& c : result_.comparisons) {
      Row cells = {c.run, c.baseline, c.metric};
      const auto difference = [&](double value) {
        cells.push_back(exact_style() ? exact(value) : signed_text(value, options_.digits));
      };
      difference(c.test.mean_difference);
      if (std::isnan(c.gain))
        cells.push_back(nothing());
      else
        cells.push_back(exact_style() ? exact(c.gain) : signed_text(100 * c.gain, 2) + "%");
      difference(c.test.low);
      difference(c.test.high);
      for (const double p : {c.test.t_test_p, c.test.wilcoxon_p})
        cells.push_back(exact_style() ? exact(p) : p_text(p));
      table.rows.push_back(std::move(cells));
    }
    return table;
  }

  // Of epochs and seconds: tenths of less than ten.
  static std::int64_t digits_of(const ReportCell& cell) {
    return cell.mean < 10 && cell.mean != std::floor(cell.mean) ? 1 : 0;
  }

  TextTable training() const {
    const bool published =
        std::any_of(result_.training.begin(), result_.training.end(),
                    [](const TrainingRow& row) { return row.published_seconds.has_value(); });
    TextTable table;
    table.header = {"run"};
    for (const char* name : {"epochs", "best epoch", "seconds to best", "seconds"}) {
      table.header.push_back(name);
      if (exact_style()) table.header.push_back(std::string(name) + ".sd");
    }
    if (published) table.header.push_back("published");
    for (const TrainingRow& row : result_.training) {
      Row cells = {row.run};
      for (const auto* cell : {&row.epochs, &row.best_epoch, &row.seconds_to_best, &row.seconds}) {
        if (exact_style())
          add_exact(*cell, cells);
        else
          cells.push_back(*cell ? TableCell(cell_text(**cell, digits_of(**cell))) : nothing());
      }
      if (published)
        cells.push_back(row.published_seconds ? TableCell(value_text(*row.published_seconds, 0)) : nothing());
      table.rows.push_back(std::move(cells));
    }
    return table;
  }

  TextTable hierarchy() const {
    TextTable table;
    table.header = {"run",        "coordinates", "items",        "cophenetic correlation",
                    "tag purity", "by chance",   "tag cost gain"};
    table.left = 2;
    for (const HierarchyRow& row : result_.hierarchy) {
      const std::int64_t digits = options_.digits;
      Row cells = {row.run, row.coordinates, count_text(row.items, style_),
                   value_text(row.cophenetic, digits)};
      for (const auto value :
           {&clustering::LabelAgreement::purity, &clustering::LabelAgreement::purity_by_chance,
            &clustering::LabelAgreement::cost_gain})
        cells.push_back(row.tags ? TableCell(value_text((*row.tags).*value, digits)) : nothing());
      table.rows.push_back(std::move(cells));
    }
    return table;
  }

  const ReportResult& result_;
  const ReportOptions& options_;
  const TableStyle style_;
  std::string text_;
};

}  // namespace

std::string tables_text(const ReportResult& result, const ReportOptions& options) {
  return Tables(result, options).text();
}

}  // namespace hyperllm::stages::report
