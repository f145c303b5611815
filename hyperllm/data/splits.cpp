#include "hyperllm/data/splits.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <span>
#include <string>

#include "hyperllm/base/error.h"
#include "hyperllm/base/random.h"

namespace hyperllm::data {
namespace {

constexpr double kMostHeldOut = 0.999;

void check_ratios(double valid_ratio, double test_ratio) {
  HYPERLLM_CHECK(valid_ratio >= 0 && test_ratio >= 0 && valid_ratio + test_ratio <= kMostHeldOut,
                 ErrorCode::kInvalidArgument,
                 "valid_ratio " + std::to_string(valid_ratio) + " and test_ratio " +
                     std::to_string(test_ratio) +
                     " must be 0 or more and together at most 0.999: something must be left to train on.");
}

// 0.3 * 10 must count as 3 although its floating-point product may fall short.
std::int64_t share(std::int64_t count, double ratio) {
  return static_cast<std::int64_t>(std::floor(static_cast<double>(count) * ratio + 1e-9));
}

std::vector<std::vector<std::int64_t>> rows_of_users(const Interactions& all, std::int64_t users) {
  std::vector<std::vector<std::int64_t>> rows(static_cast<std::size_t>(users));
  for (std::size_t row = 0; row < all.user.size(); ++row)
    rows[all.user[row]].push_back(static_cast<std::int64_t>(row));
  return rows;
}

// The last rows test, those before them validate.
void assign_tail(std::span<const std::int64_t> rows, const Shares& shares, Parts& parts) {
  const auto count = static_cast<std::int64_t>(rows.size());
  for (std::int64_t i = count - shares.test - shares.valid; i < count; ++i)
    parts[rows[i]] = i < count - shares.test ? Part::kValid : Part::kTest;
}

}  // namespace

Shares held_out(std::int64_t count, double valid_ratio, double test_ratio) {
  Shares shares{share(count, valid_ratio), share(count, test_ratio)};
  std::int64_t train = count - shares.valid - shares.test;
  for (const auto& [ratio, part] : {std::pair{test_ratio, &shares.test}, {valid_ratio, &shares.valid}})
    if (ratio > 0 && *part == 0 && train > 1) {
      ++*part;
      --train;
    }
  return shares;
}

Parts split_by_ratio(const Interactions& all, std::int64_t users, double valid_ratio, double test_ratio,
                     std::uint64_t seed) {
  check_ratios(valid_ratio, test_ratio);
  Parts parts(all.user.size(), Part::kTrain);
  Random random(seed, "split");
  for (std::vector<std::int64_t>& rows : rows_of_users(all, users)) {
    random.shuffle(std::span<std::int64_t>(rows));
    assign_tail(rows, held_out(static_cast<std::int64_t>(rows.size()), valid_ratio, test_ratio), parts);
  }
  return parts;
}

Parts split_leave_last_out(const Interactions& all, std::int64_t users) {
  Parts parts(all.user.size(), Part::kTrain);
  for (std::vector<std::int64_t>& rows : rows_of_users(all, users)) {
    std::stable_sort(rows.begin(), rows.end(),
                     [&](std::int64_t a, std::int64_t b) { return all.timestamp[a] < all.timestamp[b]; });
    const auto count = static_cast<std::int64_t>(rows.size());
    assign_tail(rows, {count > 2 ? 1 : 0, count > 1 ? 1 : 0}, parts);
  }
  return parts;
}

Parts split_by_time(const Interactions& all, double valid_ratio, double test_ratio) {
  check_ratios(valid_ratio, test_ratio);
  Parts parts(all.user.size(), Part::kTrain);
  if (parts.empty()) return parts;
  std::vector<double> times = all.timestamp;
  std::sort(times.begin(), times.end());
  const auto count = static_cast<std::int64_t>(times.size());
  const std::int64_t test = share(count, test_ratio), valid = share(count, valid_ratio);
  const double last_train = times[count - test - valid - 1], last_valid = times[count - test - 1];
  for (std::size_t row = 0; row < parts.size(); ++row)
    if (all.timestamp[row] > last_train)
      parts[row] = all.timestamp[row] > last_valid ? Part::kTest : Part::kValid;
  return parts;
}

}  // namespace hyperllm::data
