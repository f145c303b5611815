// What decides which interactions stay: duplicates, minimum rating, k-core.
#pragma once

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "hyperllm/data/dataset.h"

namespace hyperllm::data {

// Ascending row numbers of the interactions that stay.
using Rows = std::vector<std::int64_t>;

// Of the rows with the same user and item, the one with the latest timestamp; of equal times the last.
Rows last_of_duplicates(const Interactions& all);

// The first row whose user and item an earlier row has too: (the first such earlier row, that row).
std::optional<std::pair<std::int64_t, std::int64_t>> first_duplicate(const Interactions& all);

Rows rated_at_least(const Interactions& all, double rating);

// The largest set of rows in which every user has at least `user_core` rows and every item `item_core`; found
// by dropping who falls short until nobody does. 0 or 1 demands nothing. Count duplicates once: remove them
// before.
Rows k_core(const Interactions& all, std::int64_t users, std::int64_t items, std::int64_t user_core,
            std::int64_t item_core);

Interactions take_rows(const Interactions& all, const Rows& rows);

}  // namespace hyperllm::data
