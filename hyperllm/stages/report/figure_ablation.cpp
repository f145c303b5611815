// Figure 2: bars of a metric, a cluster a model.
#include <algorithm>

#include "hyperllm/base/text_table.h"
#include "hyperllm/stages/report/figures.h"

namespace hyperllm::stages::report {
namespace {

constexpr double kGap = 0.9;  // between clusters, in bars

std::vector<std::string> labels_of(const std::vector<Series>& series) {
  std::vector<std::string> labels;
  for (const Series& one : series)
    if (std::find(labels.begin(), labels.end(), one.label) == labels.end()) labels.push_back(one.label);
  return labels;
}

}  // namespace

void write_ablation(const FigureInput& input, FigureWriter& writer) {
  const auto& columns = input.result.columns;
  const auto column = static_cast<std::size_t>(
      std::find(columns.begin(), columns.end(), input.options.metric) - columns.begin());
  const std::vector<std::string> labels = labels_of(input.series);
  Tsv tsv({"group", "label", "x", "mean", "deviation", "runs"});
  std::string tics;
  const std::vector<std::string> groups = groups_of(input.series);
  double x = 0, most = 0, bars = 0;
  for (std::size_t g = 0; g < groups.size(); ++g) {
    const std::string& group = groups[g];
    const double first = x = bars + kGap * static_cast<double>(g);
    for (const std::string& label : labels)
      for (const Series* one : of_group(input.series, group)) {
        const auto& cell = one->row->cells[column];
        if (one->label != label || !cell) continue;
        tsv.row().add(group).add(label).add(x).add(cell->mean);
        if (cell->deviation)
          tsv.add(*cell->deviation);
        else
          tsv.add("");
        tsv.add(static_cast<double>(one->row->folders.size()));
        most = std::max(most, cell->mean + cell->deviation.value_or(0));
        x = ++bars + kGap * static_cast<double>(g);
      }
    tics += (tics.empty() ? "" : ", ") + quoted(group) + " " + fixed((first + x - 1) / 2, 2);
  }
  std::string plot =
      "set ylabel " + quoted(input.options.metric) + " noenhanced\nset yrange [0:" + fixed(1.08 * most, 4) +
      "]\nset xrange [-0.9:" + fixed(x - 0.1, 2) + "]\nset xtics (" + tics +
      ") scale 0 noenhanced\nset style fill solid 1 border linecolor 'black'\n"
      "set key outside top center horizontal Left reverse noenhanced samplen 1.5 width 1\nplot";
  for (std::size_t i = 0; i < labels.size(); ++i)
    plot += " data using (stringcolumn('label') eq " + quoted(labels[i]) +
            " ? column('x') : NaN):(column('mean')):(0.92) with boxes linewidth 0.5 fillcolor rgb '" +
            colour(i) + "' title " + quoted(labels[i]) + ", \\\n    ";
  plot +=
      " data using (column('x')):(column('mean') - column('deviation')):(0):(2 * column('deviation')) with " +
      std::string(kInterval) + " linecolor 'black' linewidth 0.8 notitle\n";
  writer.write("figure2-ablation", {std::max(4.5, 1.6 + 0.24 * x), 3.4}, tsv.text(), plot);
}

}  // namespace hyperllm::stages::report
