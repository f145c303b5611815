// Figure 5: Ward's clustering of the items' representations, and how well it keeps distances and tags.
#include <algorithm>
#include <cmath>

#include "hyperllm/base/text_table.h"
#include "hyperllm/clustering/dendrogram.h"
#include "hyperllm/data/dataset.h"
#include "hyperllm/data/tags.h"
#include "hyperllm/retrieval/model_files.h"
#include "hyperllm/stages/report/figures.h"

namespace hyperllm::stages::report {
namespace {

namespace fs = std::filesystem;
using manifold::Geometry;

// What a vector at the origin is multiplied by to have the length of the point's distance from the origin.
double tangent_factor(const manifold::Space& space, double norm) {
  if (space.geometry == Geometry::kEuclidean || norm == 0) return 1;
  const double root = std::sqrt(space.curvature.c);
  const double distance = space.geometry == Geometry::kLorentz ? std::asinh(root * norm) / root
                                                               : 2 * std::atanh(root * norm) / root;
  return distance / norm;
}

// Rows of tangent vectors at the origin, or of ambient coordinates: on the hyperboloid the time comes first.
std::vector<double> coordinates_of(const retrieval::ItemPoints& points, bool tangent, std::int64_t& dim) {
  const bool time = !tangent && points.space.geometry == Geometry::kLorentz;
  dim = points.rows.cols + time;
  std::vector<double> values;
  values.reserve(static_cast<std::size_t>(points.rows.rows * dim));
  for (std::int64_t row = 0; row < points.rows.rows; ++row) {
    double squares = 0;
    for (const float value : points.rows.row(row)) squares += static_cast<double>(value) * value;
    if (time) values.push_back(std::sqrt(1 / points.space.curvature.c + squares));
    const double factor = tangent ? tangent_factor(points.space, std::sqrt(squares)) : 1;
    for (const float value : points.rows.row(row)) values.push_back(factor * value);
  }
  return values;
}

// A row an item.
std::optional<data::Csr> tags_of(const fs::path& folder, const std::vector<std::string>& items) {
  if (!data::has_tags(folder)) return std::nullopt;
  const data::TagGraph graph = data::load_tags(folder, items);
  std::vector<std::pair<std::int32_t, std::int32_t>> pairs;
  for (const auto& [tag, item] : graph.tag_items) pairs.emplace_back(item, tag);
  return data::make_csr(std::ssize(items), std::ssize(graph.tags), pairs);
}

void draw(const Series& series, const clustering::Dendrogram& drawn, FigureWriter& writer) {
  Tsv tsv({"colour", "x", "height"});
  for (const clustering::Link& link : drawn.links) {
    for (int corner = 0; corner < 4; ++corner)
      tsv.row().add(std::to_string(link.colour)).add(link.x[corner]).add(link.y[corner]);
    tsv.row();
  }
  std::string tics;
  for (const clustering::Leaf& leaf : drawn.leaves)
    tics += (tics.empty() ? "'" : ", '") + std::to_string(leaf.count) + "' " + fixed(leaf.x, 0);
  const double right = 10 * static_cast<double>(drawn.leaves.size());
  std::string plot =
      "set title " + quoted(series.row->name) + " noenhanced\nset ylabel 'height of the merge'\n" +
      "set xlabel 'items under each leaf'\nset xrange [0:" + fixed(right, 0) +
      "]\nset yrange [0:*]\nset xtics (" + tics + ") rotate by 90 right scale 0.5 font ',8'\nunset key\n" +
      "plot for [c=0:9] data using (column('colour') == c ? column('x') : NaN):(column('height')) with " +
      "lines linewidth 1.3 linecolor rgb word('#404040";
  for (std::size_t i = 0; i < 9; ++i) plot += " " + (i < 8 ? colour(i) : "#8b4513");
  writer.write("figure5-dendrogram-" + file_name(series.row->name),
               {std::max(4.5, 1 + 0.17 * static_cast<double>(drawn.leaves.size())), 3.4}, tsv.text(),
               plot + "', c + 1)\n");
}

void write_numbers(const std::vector<HierarchyRow>& rows, const FigureWriter& writer) {
  Tsv tsv({"run", "coordinates", "items", "cophenetic", "tags", "purity", "purity_by_chance", "cost_gain"});
  for (const HierarchyRow& row : rows) {
    tsv.row().add(row.run).add(row.coordinates).add(std::to_string(row.items)).add(row.cophenetic);
    if (row.tags)
      tsv.add(std::to_string(row.tags->labels))
          .add(row.tags->purity)
          .add(row.tags->purity_by_chance)
          .add(row.tags->cost_gain);
    else
      tsv.add("").add("").add("").add("");
  }
  writer.write_table("figure5-numbers", tsv.text());
}

}  // namespace

std::vector<HierarchyRow> write_dendrograms(const FigureInput& input, FigureWriter& writer,
                                            const Context& context) {
  const data::Dataset dataset = data::load_dataset(input.dataset);
  const auto tags = tags_of(input.dataset, dataset.items);
  const bool tangent = input.options.coordinates == "tangent";
  std::vector<HierarchyRow> rows;
  for (const Series& series : input.series) {
    const fs::path model = series.row->folders.front() / "model";
    if (!fs::exists(model)) continue;
    const auto points = retrieval::load_item_points(model, dataset.num_items());
    if (!points || points->rows.rows < 2) continue;
    std::int64_t dim = 0;
    const std::vector<double> values = coordinates_of(*points, tangent, dim);
    const std::vector<clustering::Merge> merges = clustering::ward(values, dim, context);
    draw(series, clustering::dendrogram(merges, input.options.leaves), writer);
    HierarchyRow row{series.row->name, input.options.coordinates, points->rows.rows,
                     clustering::cophenetic_correlation(values, dim, merges, context), std::nullopt};
    if (tags) row.tags = clustering::label_agreement(merges, *tags);
    rows.push_back(std::move(row));
  }
  if (!rows.empty()) write_numbers(rows, writer);
  return rows;
}

}  // namespace hyperllm::stages::report
