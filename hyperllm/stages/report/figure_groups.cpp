// Figure 4: users in five groups by number of training items, items in five by popularity; a picture a model.
#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <numeric>

#include "hyperllm/artifact/manifest.h"
#include "hyperllm/base/error.h"
#include "hyperllm/base/text_table.h"
#include "hyperllm/data/dataset.h"
#include "hyperllm/stages/report/figures.h"

namespace hyperllm::stages::report {
namespace {

namespace fs = std::filesystem;
using metrics::PerItem;
using metrics::Ratio;

constexpr std::size_t kGroups = 5;

// What a bar is a ratio of: entries are users, or items.
struct Entries {
  std::vector<double> above, below;
};

// One of the rows side by side in a picture.
struct Bar {
  std::string label;
  Entries entries;
  const Entries* baseline = nullptr;
};

struct Group {
  std::vector<std::size_t> entries;
  std::int64_t least = 0, most = 0;  // training interactions
};

// Equal in size up to one, by rising count; equal counts in the order of the dataset.
std::vector<Group> groups_by(const std::vector<std::int64_t>& counts) {
  std::vector<std::size_t> order(counts.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return counts[a] < counts[b]; });
  std::vector<Group> groups(kGroups);
  for (std::size_t g = 0; g < kGroups; ++g) {
    Group& group = groups[g];
    group.entries.assign(order.begin() + static_cast<std::ptrdiff_t>(g * order.size() / kGroups),
                         order.begin() + static_cast<std::ptrdiff_t>((g + 1) * order.size() / kGroups));
    group.least = counts[group.entries.front()];
    group.most = counts[group.entries.back()];
  }
  return groups;
}

std::vector<double> pick(const std::vector<double>& values, const std::vector<std::size_t>& entries) {
  std::vector<double> picked;
  for (const std::size_t entry : entries) picked.push_back(values[entry]);
  return picked;
}

// Where the axes end.
struct Range {
  double low = std::numeric_limits<double>::infinity(), high = -std::numeric_limits<double>::infinity();
  void include(double value) {
    if (std::isnan(value)) return;
    low = std::min(low, value);
    high = std::max(high, value);
  }
  void include(const Ratio& ratio) {
    for (const double value : {ratio.value, ratio.low, ratio.high}) include(value);
  }
};

double nice_step(double span) {
  const double power = std::pow(10, std::floor(std::log10(span / 3)));
  for (const double factor : {1.0, 2.0, 5.0})
    if (span / (factor * power) <= 4.5) return factor * power;
  return 10 * power;
}

class Picture {
 public:
  Picture(const std::vector<Bar>& bars, const std::vector<Group>& groups, const ReportOptions& options)
      : bars_(bars),
        groups_(groups),
        options_(options),
        tsv_({"group", "entries", "least", "most", "label", "x", "value", "low", "high", "gain", "gain_low",
              "gain_high"}) {
    for (std::size_t g = 0; g < groups.size(); ++g)
      for (std::size_t b = 0; b < bars.size(); ++b) add(g, b);
  }

  const std::string& tsv() const { return tsv_.text(); }

  // Bars below, gains above.
  std::string plot(const std::string& what, const std::string& value) const {
    const bool gains = gain_.low <= gain_.high;
    std::string tics;
    for (std::size_t g = 0; g < groups_.size(); ++g)
      tics += (g ? ", " : "") + std::string("\"G") + std::to_string(g + 1) + "\\n" +
              std::to_string(groups_[g].least) +
              (groups_[g].most > groups_[g].least ? "\u2013" + std::to_string(groups_[g].most) : "") + "\" " +
              fixed(centre(g), 2);
    std::string text = "set ylabel " + quoted(value) + " noenhanced\nset bmargin 4.5\nset xlabel " +
                       quoted(what) +
                       " offset 0,-0.6\nset yrange [0:" + fixed((gains ? 1.9 : 1.1) * value_.high, 4) +
                       "]\nset xrange [-0.8:" +
                       fixed(centre(groups_.size() - 1) + static_cast<double>(bars_.size()) / 2 + 0.3, 2) +
                       "]\nset xtics (" + tics +
                       ") scale 0\nset style fill solid 1 border linecolor 'black'\n"
                       "set key outside top center horizontal Left reverse noenhanced samplen 1.5 width 1\n";
    if (gains) text += gain_axis();
    text += "plot";
    for (std::size_t b = 0; b < bars_.size(); ++b)
      text += " data using " + of(b, "x") +
              ":(column('value')):(0.9) with boxes linewidth 0.5 fillcolor rgb '" + colour(b) + "' title " +
              quoted(bars_[b].label) + ", \\\n    ";
    text += " data using (column('x')):(column('low')):(0):(column('high') - column('low')) with " +
            std::string(kInterval) + " linecolor 'black' linewidth 0.8 notitle";
    for (std::size_t b = 0; gains && b < bars_.size(); ++b)
      if (bars_[b].baseline) text += gain_lines(b);
    return text + "\n";
  }

 private:
  double centre(std::size_t group) const {
    return static_cast<double>(group) * (static_cast<double>(bars_.size()) + 0.8) +
           (static_cast<double>(bars_.size()) - 1) / 2;
  }

  void add(std::size_t g, std::size_t b) {
    const Group& group = groups_[g];
    const Entries& entries = bars_[b].entries;
    const auto seed = static_cast<std::uint64_t>(options_.seed);
    const std::vector<double> above = pick(entries.above, group.entries);
    const Ratio value =
        metrics::bootstrap_ratio(above, pick(entries.below, group.entries), options_.resamples, seed);
    value_.include(value);
    const double x = centre(g) - (static_cast<double>(bars_.size()) - 1) / 2 + static_cast<double>(b);
    tsv_.row().add("G" + std::to_string(g + 1)).add(std::to_string(group.entries.size()));
    tsv_.add(std::to_string(group.least)).add(std::to_string(group.most)).add(bars_[b].label).add(x);
    tsv_.add(value.value).add(value.low).add(value.high);
    if (!bars_[b].baseline) {
      tsv_.add("").add("").add("");
      return;
    }
    Ratio gain = metrics::bootstrap_ratio(above, pick(bars_[b].baseline->above, group.entries),
                                          options_.resamples, seed);
    for (double* part : {&gain.value, &gain.low, &gain.high}) *part = 100 * (*part - 1);
    gain_.include(gain);
    tsv_.add(gain.value).add(gain.low).add(gain.high);
  }

  std::string gain_axis() const {
    const double low = std::min(gain_.low, 0.0), high = std::max(gain_.high, 0.0);
    const double span = std::max(high - low, 1.0), step = nice_step(span);
    return "set border 11\nset y2label 'gain over the baseline, %'\nset y2range [" +
           fixed(low - 1.15 * span, 4) + ":" + fixed(high + 0.05 * span, 4) + "]\nset y2tics " +
           fixed(std::ceil(low / step) * step, 4) + "," + fixed(step, 4) +
           " format '%+g'\nset arrow from graph 0, second 0 to graph 1, second 0 nohead dashtype 3 "
           "linecolor '#606060'\n";
  }

  std::string gain_lines(std::size_t b) const {
    const std::string x = of(b, "x"), type = std::to_string(b % 6 * 2 + 5);
    return ", \\\n     data using " + x +
           ":(column('gain_low')):(0):(column('gain_high') - column('gain_low')) axes x1y2 with " +
           kInterval + " linewidth 1 linecolor rgb '" + colour(b) + "' notitle, \\\n     data using " + x +
           ":(column('gain')) axes x1y2 with linespoints pointtype " + type +
           " pointsize 0.7 linewidth 1.2 dashtype " + std::to_string(b % 4 + 1) + " linecolor rgb '" +
           colour(b) + "' title " + quoted(bars_[b].label + ", gain");
  }

  std::string of(std::size_t b, const char* column) const {
    return "(stringcolumn('label') eq " + quoted(bars_[b].label) + " ? column('" + column + "') : NaN)";
  }

  const std::vector<Bar>& bars_;
  const std::vector<Group>& groups_;
  const ReportOptions& options_;
  Tsv tsv_;
  Range value_, gain_;
};

// Makes the pictures of one kind of entries. `entries_of(folders)` gives a row's; empty if its files are not
// there.
template <typename EntriesOf>
void write_pictures(const FigureInput& input, FigureWriter& writer, const std::string& name,
                    const std::string& what, const std::string& value,
                    const std::vector<std::int64_t>& counts, EntriesOf entries_of) {
  const std::vector<Group> groups = groups_by(counts);
  for (const std::string& group : groups_of(input.series)) {
    std::vector<Bar> bars;
    bars.reserve(2 * input.series.size());  // bars point at one another
    std::map<std::string, std::size_t> by_row;
    const auto add = [&](const std::string& row, const std::string& label,
                         const std::vector<fs::path>& folders) {
      if (by_row.contains(row)) return;
      Entries entries = entries_of(folders);
      if (entries.above.empty()) return;
      by_row.emplace(row, bars.size());
      bars.push_back({label, std::move(entries), nullptr});
    };
    const auto members = of_group(input.series, group);
    const auto label_of = [&](const Baseline& baseline) {
      for (const Series* one : members)
        if (one->row->name == baseline.name) return one->label;
      return baseline.name;
    };
    for (const Series* one : members)
      if (one->baseline) add(one->baseline->name, label_of(*one->baseline), one->baseline->folders);
    for (const Series* one : members) add(one->row->name, one->label, one->row->folders);
    for (const Series* one : members)
      if (one->baseline && by_row.contains(one->row->name) && by_row.contains(one->baseline->name))
        bars[by_row[one->row->name]].baseline = &bars[by_row[one->baseline->name]].entries;
    if (bars.empty()) continue;
    const Picture picture(bars, groups, input.options);
    const double width = std::max(4.6, 1.8 + 0.17 * static_cast<double>(kGroups * bars.size()));
    writer.write(name + "-" + file_name(group), {std::min(width, 11.0), 3.8}, picture.tsv(),
                 picture.plot(what, value));
  }
}

std::vector<std::int64_t> row_sizes(const data::Csr& matrix) {
  std::vector<std::int64_t> sizes;
  for (std::int64_t row = 0; row < matrix.rows; ++row) sizes.push_back(std::ssize(matrix.row(row)));
  return sizes;
}

// Training items of the users, in the order of `users`.
std::vector<std::int64_t> counts_of(const std::vector<std::string>& users, const data::Dataset& dataset,
                                    const data::Csr& train, const fs::path& folder) {
  const auto rows = data::index_of(dataset.users);
  std::vector<std::int64_t> counts;
  for (const std::string& user : users) {
    const auto found = rows.find(user);
    HYPERLLM_CHECK(
        found != rows.end(), ErrorCode::kInvalidData,
        folder.string() + ": has no user '" + user +
            "', whom the runs were evaluated on. Give the dataset folder of the runs with --dataset.");
    counts.push_back(std::ssize(train.row(found->second)));
  }
  return counts;
}

// The K of "recall@20"; none if it is no such name.
std::optional<std::int64_t> k_of(const std::string& metric) {
  const std::size_t at = metric.find('@');
  std::int64_t k = 0;
  if (at == metric.npos) return std::nullopt;
  const auto [end, error] = std::from_chars(metric.data() + at + 1, metric.data() + metric.size(), k);
  return error == std::errc{} && end == metric.data() + metric.size() ? std::optional(k) : std::nullopt;
}

// Hits and held-out interactions, mean over seeds; empty, with a warning, if there is no such file or K.
Entries item_entries(const std::vector<fs::path>& folders, const FigureInput& input, std::int64_t k,
                     const std::vector<std::string>& items, const Context& context) {
  Entries entries{std::vector<double>(items.size(), 0), std::vector<double>(items.size(), 0)};
  for (const fs::path& folder : folders) {
    const fs::path path = metrics::per_item_path(folder, input.options.split);
    if (!fs::exists(path)) {
      context.warn("figure 4: " + folder.string() +
                   " was evaluated before items were counted; run `hyperllm evaluate "
                   "--dataset " +
                   input.dataset.string() + " --run " + folder.string() + " --split " + input.options.split +
                   "` again for its picture of items");
      return {};
    }
    const PerItem values = metrics::load_per_item(path);
    const auto column = std::find(values.ks.begin(), values.ks.end(), k) - values.ks.begin();
    if (column == std::ssize(values.ks)) {
      context.warn("figure 4: " + path.string() + " has no hits@" + std::to_string(k) +
                   "; evaluate the run with this K for its picture of items");
      return {};
    }
    HYPERLLM_CHECK(values.items == items, ErrorCode::kInvalidData,
                   path.string() + ": its items are not those of " + input.dataset.string() +
                       ". Give the dataset folder of the runs with --dataset.");
    const auto runs = static_cast<double>(folders.size());
    for (std::size_t i = 0; i < items.size(); ++i) {
      const std::int64_t hits = values.hits[i * values.ks.size() + static_cast<std::size_t>(column)];
      entries.above[i] += static_cast<double>(hits) / runs;
      entries.below[i] += static_cast<double>(values.held_out[i]) / runs;
    }
  }
  return entries;
}

}  // namespace

void write_groups(const FigureInput& input, FigureWriter& writer, const Context& context) {
  const data::Dataset dataset = data::load_dataset(input.dataset);
  const data::Csr train = dataset.train_csr();
  for (const Series& one : input.series)
    for (const fs::path& folder : one.row->folders)
      artifact::require_made_from(folder / ("evaluate." + input.options.split + ".manifest.json"),
                                  {input.dataset / (dataset.name + ".train.inter")});
  const std::string& metric = input.options.metric;
  const auto& users = input.values.of(input.series.front().row->folders).users;
  const auto user_counts = counts_of(users, dataset, train, input.dataset);
  if (users.size() >= kGroups)
    write_pictures(
        input, writer, "figure4-users", "users by number of training items", metric, user_counts,
        [&](const std::vector<fs::path>& folders) {
          const metrics::PerUser& values = input.values.of(folders);
          check_same_users(input.values.of(input.series.front().row->folders), values, folders.front());
          if (std::find(values.columns.begin(), values.columns.end(), metric) == values.columns.end())
            return Entries{};
          return Entries{values.column(metric), std::vector<double>(values.users.size(), 1.0)};
        });
  const auto k = k_of(metric);
  if (k && dataset.num_items() >= static_cast<std::int64_t>(kGroups))
    write_pictures(input, writer, "figure4-items", "items by number of training users",
                   "found in the first " + std::to_string(*k), row_sizes(train.transposed()),
                   [&](const std::vector<fs::path>& folders) {
                     return item_entries(folders, input, *k, dataset.items, context);
                   });
}

}  // namespace hyperllm::stages::report
