// Is the difference between two runs more than chance? Paired tests over users, on values per user.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace hyperllm::metrics {

struct PairedTest {
  double mean_difference = 0;  // mean of b - a
  // 95 % percentile interval of the mean difference over bootstrap samples of users.
  double low = 0, high = 0;
  double t_test_p = 1;    // Student's paired t-test, two-sided
  double wilcoxon_p = 1;  // Wilcoxon's signed ranks, two-sided: zeros dropped, mid-ranks, normal
                          // approximation with tie correction, no continuity correction
};

// A ratio of sums, and its 95 % percentile interval over bootstrap samples of the entries.
struct Ratio {
  double value = 0, low = 0, high = 0;  // NaN where a sum below the line is 0, in one of the samples perhaps
};

// sum of above[i] / sum of below[i]; above[i] and below[i] are drawn together. At least one entry; seeded as
// paired_test. Throws kInvalidArgument as it does.
Ratio bootstrap_ratio(std::span<const double> above, std::span<const double> below, std::int64_t resamples,
                      std::uint64_t seed);

// a[i] and b[i] belong to the same user; at least two users. Seeded: same input and seed, same result, for
// any number of threads. Throws kInvalidArgument for unequal or too short lists or resamples < 1.
PairedTest paired_test(std::span<const double> a, std::span<const double> b, std::int64_t resamples,
                       std::uint64_t seed);

// Holm's step-down correction for several tests at once (Holm 1979); same order as `p`.
std::vector<double> holm(std::span<const double> p);

}  // namespace hyperllm::metrics
