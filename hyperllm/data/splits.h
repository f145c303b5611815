// Which interactions train, validate and test.
#pragma once

#include <cstdint>
#include <vector>

#include "hyperllm/data/dataset.h"

namespace hyperllm::data {

enum class Part : std::uint8_t { kTrain, kValid, kTest };

// One part per row of the interactions.
using Parts = std::vector<Part>;

// How many of a user's `count` interactions go to validation and to test: the floor of the share, but at
// least one for a share above 0 as long as one is left to train on (test is served first). With shares of 0.1
// and at least three interactions this is the paper's max(1, floor(count / 10)).
struct Shares {
  std::int64_t valid = 0;
  std::int64_t test = 0;
};
Shares held_out(std::int64_t count, double valid_ratio, double test_ratio);

// Per user, at random: the rows are shuffled with `seed`. Ratios >= 0, their sum at most 0.999
// (kInvalidArgument).
Parts split_by_ratio(const Interactions& all, std::int64_t users, double valid_ratio, double test_ratio,
                     std::uint64_t seed);

// Per user, by time (equal times in row order): the last interaction tests, the one before it validates. A
// user with two has none to validate on, a user with one has only that to train on.
Parts split_leave_last_out(const Interactions& all, std::int64_t users);

// One cut in time for everybody: the latest `test_ratio` of the rows test, the `valid_ratio` before them
// validate. Rows of equal time stay together, in the earlier part, so that nothing trained on is later than
// what is tested.
Parts split_by_time(const Interactions& all, double valid_ratio, double test_ratio);

}  // namespace hyperllm::data
