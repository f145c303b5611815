#include "hyperllm/metrics/significance.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <string>

#include "hyperllm/base/error.h"
#include "hyperllm/base/parallel.h"
#include "hyperllm/base/random.h"

namespace hyperllm::metrics {
namespace {

double mean_of(std::span<const double> values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

// Continued fraction of the incomplete beta function (Lentz's method, DLMF 8.17.22).
double beta_fraction(double a, double b, double x) {
  constexpr double kTiny = 1e-300;
  const auto away_from_zero = [](double v) { return std::abs(v) < kTiny ? kTiny : v; };
  double c = 1, d = 1 / away_from_zero(1 - (a + b) * x / (a + 1));
  double result = d;
  for (int m = 1; m < 10000; ++m) {
    const double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
    const double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
    double step = 1;
    for (const double term : {even, odd}) {
      d = 1 / away_from_zero(1 + term * d);
      c = away_from_zero(1 + term / c);
      step = c * d;
      result *= step;
    }
    if (std::abs(step - 1) < 1e-15) break;
  }
  return result;
}

// Regularised incomplete beta function I_x(a, b).
double incomplete_beta(double a, double b, double x) {
  if (x <= 0) return 0;
  if (x >= 1) return 1;
  const double front =
      std::exp(std::lgamma(a + b) - std::lgamma(a) - std::lgamma(b) + a * std::log(x) + b * std::log1p(-x));
  return x < (a + 1) / (a + b + 2) ? front * beta_fraction(a, b, x) / a
                                   : 1 - front * beta_fraction(b, a, 1 - x) / b;
}

double t_test(std::span<const double> differences) {
  const auto n = static_cast<double>(differences.size());
  const double mean = mean_of(differences);
  double squares = 0;
  for (const double d : differences) squares += (d - mean) * (d - mean);
  if (squares == 0) return mean == 0 ? 1 : 0;
  const double freedom = n - 1;
  const double t = mean / std::sqrt(squares / freedom / n);
  return incomplete_beta(freedom / 2, 0.5, freedom / (freedom + t * t));
}

double wilcoxon(std::span<const double> differences) {
  std::vector<double> left;
  for (const double d : differences)
    if (d != 0) left.push_back(d);
  if (left.empty()) return 1;
  std::sort(left.begin(), left.end(), [](double x, double y) { return std::abs(x) < std::abs(y); });
  const auto n = static_cast<double>(left.size());
  double positive = 0, ties = 0;
  for (std::size_t begin = 0, end = 0; begin < left.size(); begin = end) {
    while (end < left.size() && std::abs(left[end]) == std::abs(left[begin])) ++end;
    const auto size = static_cast<double>(end - begin);
    const double rank = static_cast<double>(begin + end + 1) / 2;
    ties += size * size * size - size;
    for (std::size_t i = begin; i < end; ++i) positive += left[i] > 0 ? rank : 0;
  }
  const double variance = n * (n + 1) * (2 * n + 1) / 24 - ties / 48;
  const double z = (positive - n * (n + 1) / 4) / std::sqrt(variance);
  return std::erfc(std::abs(z) / std::sqrt(2.0));
}

// One random stream a sample, so that samples can be drawn in any order. Not sorted if one is not finite.
std::vector<double> bootstrap_ratios(std::span<const double> above, std::span<const double> below,
                                     std::int64_t resamples, std::uint64_t seed) {
  std::vector<double> ratios(static_cast<std::size_t>(resamples));
  parallel_ranges(resamples, 64, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t sample = begin; sample < end; ++sample) {
      Random random(seed, "bootstrap " + std::to_string(sample));
      double numerator = 0, denominator = 0;
      for (std::size_t i = 0; i < above.size(); ++i) {
        const std::uint64_t drawn = random.below(above.size());
        numerator += above[drawn];
        denominator += below[drawn];
      }
      ratios[static_cast<std::size_t>(sample)] = numerator / denominator;
    }
  });
  if (std::all_of(ratios.begin(), ratios.end(), [](double ratio) { return std::isfinite(ratio); }))
    std::sort(ratios.begin(), ratios.end());
  return ratios;
}

// Quantile of sorted values, linear between the two nearest.
double quantile(std::span<const double> sorted, double q) {
  const double place = q * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(place);
  const std::size_t above = std::min(below + 1, sorted.size() - 1);
  return sorted[below] + (place - static_cast<double>(below)) * (sorted[above] - sorted[below]);
}

}  // namespace

Ratio bootstrap_ratio(std::span<const double> above, std::span<const double> below, std::int64_t resamples,
                      std::uint64_t seed) {
  HYPERLLM_CHECK(above.size() == below.size() && !above.empty(), ErrorCode::kInvalidArgument,
                 "a ratio needs two lists of one length, one entry at least; got " +
                     std::to_string(above.size()) + " and " + std::to_string(below.size()));
  HYPERLLM_CHECK(resamples >= 1, ErrorCode::kInvalidArgument,
                 "resamples must be at least 1, got " + std::to_string(resamples));
  constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
  const double under = std::accumulate(below.begin(), below.end(), 0.0);
  const std::vector<double> ratios = bootstrap_ratios(above, below, resamples, seed);
  const bool finite =
      std::all_of(ratios.begin(), ratios.end(), [](double ratio) { return std::isfinite(ratio); });
  return {under == 0 ? kNone : std::accumulate(above.begin(), above.end(), 0.0) / under,
          finite ? quantile(ratios, 0.025) : kNone, finite ? quantile(ratios, 0.975) : kNone};
}

PairedTest paired_test(std::span<const double> a, std::span<const double> b, std::int64_t resamples,
                       std::uint64_t seed) {
  HYPERLLM_CHECK(a.size() == b.size() && a.size() >= 2, ErrorCode::kInvalidArgument,
                 "a paired test needs two lists of one length, two users at least; got " +
                     std::to_string(a.size()) + " and " + std::to_string(b.size()));
  std::vector<double> differences(a.size());
  for (std::size_t i = 0; i < a.size(); ++i) differences[i] = b[i] - a[i];
  const Ratio mean = bootstrap_ratio(differences, std::vector<double>(a.size(), 1.0), resamples, seed);
  return {mean.value, mean.low, mean.high, t_test(differences), wilcoxon(differences)};
}

std::vector<double> holm(std::span<const double> p) {
  std::vector<std::size_t> order(p.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t x, std::size_t y) { return p[x] < p[y]; });
  std::vector<double> corrected(p.size());
  double floor = 0;
  for (std::size_t rank = 0; rank < order.size(); ++rank) {
    floor = std::max(floor, std::min(1.0, p[order[rank]] * static_cast<double>(p.size() - rank)));
    corrected[order[rank]] = floor;
  }
  return corrected;
}

}  // namespace hyperllm::metrics
