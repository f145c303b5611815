// Figure 3: a validation metric by epoch and by seconds, a picture a model.
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <set>

#include "hyperllm/stages/report/figures.h"

namespace hyperllm::stages::report {
namespace {

constexpr double kUnknown = std::numeric_limits<double>::quiet_NaN();
constexpr int kTimes = 200;  // of the curve by seconds

// A seed's validations in their order; seconds are unknown (NaN) where nothing was timed.
struct Seed {
  std::vector<double> epochs, seconds, values;
  std::size_t best = 0;
};

Seed seed_of(const TrainingRecord& record, const std::string& metric) {
  Seed seed;
  for (const CurvePoint& point : record.curve)
    for (const auto& [name, value] : point.metrics) {
      if (name != metric) continue;
      if (point.epoch == record.best_epoch) seed.best = seed.values.size();
      seed.epochs.push_back(static_cast<double>(point.epoch));
      seed.seconds.push_back(record.seconds_at(point.epoch).value_or(kUnknown));
      seed.values.push_back(value);
    }
  return seed;
}

// Those whose logs have the metric.
std::vector<Seed> seeds_of(const Series& series, const std::string& metric) {
  std::vector<Seed> seeds;
  for (const TrainingRecord& record : series.records)
    if (Seed seed = seed_of(record, metric); !seed.values.empty()) seeds.push_back(std::move(seed));
  return seeds;
}

bool is_timed(const std::vector<Seed>& seeds) {
  return std::none_of(seeds.begin(), seeds.end(),
                      [](const Seed& seed) { return std::isnan(seed.seconds[0]); });
}

// Of the seeds that came to `x`, their values there, linear between validations; `axis` is epochs or seconds.
std::vector<double> values_at(const std::vector<Seed>& seeds, std::vector<double> Seed::*axis, double x) {
  std::vector<double> values;
  for (const Seed& seed : seeds) {
    const std::vector<double>& at = seed.*axis;
    const auto next = static_cast<std::size_t>(std::lower_bound(at.begin(), at.end(), x) - at.begin());
    if (next == at.size() || x < at.front()) continue;
    const double share = at[next] == x ? 1 : (x - at[next - 1]) / (at[next] - at[next - 1]);
    values.push_back(next == 0 ? seed.values[0]
                               : seed.values[next - 1] + share * (seed.values[next] - seed.values[next - 1]));
  }
  return values;
}

void add_point(const std::string& label, const char* kind, double epoch, double seconds,
               const std::vector<double>& values, Tsv& tsv) {
  if (values.empty()) return;
  double sum = 0;
  for (const double value : values) sum += value;
  const auto [low, high] = std::minmax_element(values.begin(), values.end());
  tsv.row().add(label).add(kind).add(epoch).add(seconds).add(sum / static_cast<double>(values.size()));
  tsv.add(*low).add(*high).add(std::to_string(values.size()));
}

void add_series(const std::string& label, const std::vector<Seed>& seeds, Tsv& tsv) {
  std::set<double> epochs;
  double first = std::numeric_limits<double>::infinity(), last = 0;
  for (const Seed& seed : seeds) {
    epochs.insert(seed.epochs.begin(), seed.epochs.end());
    first = std::min(first, seed.seconds.front());
    last = std::max(last, seed.seconds.back());
  }
  for (const double epoch : epochs)
    add_point(label, "epoch", epoch, kUnknown, values_at(seeds, &Seed::epochs, epoch), tsv);
  for (int i = 0; is_timed(seeds) && i <= kTimes; ++i) {
    const double seconds = i == kTimes ? last : first + i * (last - first) / kTimes;
    add_point(label, "seconds", kUnknown, seconds, values_at(seeds, &Seed::seconds, seconds), tsv);
  }
  for (const Seed& seed : seeds)
    add_point(label, "best", seed.epochs[seed.best], seed.seconds[seed.best], {seed.values[seed.best]}, tsv);
}

std::string panel(const std::vector<std::string>& labels, const std::string& x) {
  std::string plot = "plot";
  const auto of = [&](const std::string& label, const std::string& kind) {
    return "(stringcolumn('label') eq " + quoted(label) + " && stringcolumn('kind') eq '" + kind +
           "' ? column('" + x + "') : NaN)";
  };
  for (std::size_t i = 0; i < labels.size(); ++i)
    plot += " data using " + of(labels[i], x) +
            ":(column('low')):(column('high')) with filledcurves fillstyle transparent solid 0.25 noborder "
            "linecolor rgb '" +
            colour(i) + "' notitle, \\\n    ";
  for (std::size_t i = 0; i < labels.size(); ++i)
    plot += " data using " + of(labels[i], x) + ":(column('mean')) with lines linewidth 1.6 dashtype " +
            std::to_string(i % 4 + 1) + " linecolor rgb '" + colour(i) + "' title " + quoted(labels[i]) +
            ", \\\n    ";
  for (std::size_t i = 0; i < labels.size(); ++i)
    plot += " data using " + of(labels[i], "best") + ":(column('mean')) with points pointtype " +
            std::to_string(std::array{5, 7, 9, 11, 13, 15}[i % 6]) + " pointsize 0.7 linecolor rgb '" +
            colour(i) + "' notitle" + (i + 1 < labels.size() ? ", \\\n    " : "\n");
  return plot;
}

}  // namespace

void write_curves(const FigureInput& input, FigureWriter& writer, const Context& context) {
  const std::string& metric = input.options.metric;
  for (const std::string& group : groups_of(input.series)) {
    Tsv tsv({"label", "kind", "epoch", "seconds", "mean", "low", "high", "seeds"});
    std::vector<std::string> labels;
    bool timed = false, logged = false;
    for (const Series* series : of_group(input.series, group)) {
      logged = logged || std::any_of(series->records.begin(), series->records.end(),
                                     [](const TrainingRecord& record) { return !record.curve.empty(); });
      const std::vector<Seed> seeds = seeds_of(*series, metric);
      if (seeds.empty()) continue;
      labels.push_back(series->label);
      add_series(series->label, seeds, tsv);
      timed = timed || is_timed(seeds);
    }
    if (labels.empty()) {
      if (logged)
        context.warn("figure 3: the logs of " + group + " have no " + metric +
                     " on validation; choose recall@10, recall@20, ndcg@10 or ndcg@20 with 'metric'");
      continue;
    }
    std::string plot = "set multiplot layout 1," + std::string(timed ? "2" : "1") +
                       "\nset key bottom right noenhanced samplen 2.5\nset xrange [0:*]\nset ylabel " +
                       quoted(metric + " on validation") + " noenhanced\nset xlabel 'epoch'\n" +
                       panel(labels, "epoch");
    if (timed) plot += "unset key\nset xlabel 'seconds of training'\n" + panel(labels, "seconds");
    writer.write("figure3-curves-" + file_name(group), {timed ? 8.0 : 4.4, 3.4}, tsv.text(),
                 plot + "unset multiplot\n");
  }
}

}  // namespace hyperllm::stages::report
