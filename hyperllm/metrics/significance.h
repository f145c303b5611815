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

// a[i] and b[i] belong to the same user; at least two users. Seeded: same input and seed, same result, for
// any number of threads. Throws kInvalidArgument for unequal or too short lists or resamples < 1.
PairedTest paired_test(std::span<const double> a, std::span<const double> b, std::int64_t resamples,
                       std::uint64_t seed);

// Holm's step-down correction for several tests at once (Holm 1979); same order as `p`.
std::vector<double> holm(std::span<const double> p);

}  // namespace hyperllm::metrics
