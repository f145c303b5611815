#include "hyperllm/data/filters.h"

#include <algorithm>
#include <numeric>

namespace hyperllm::data {
namespace {

// Row numbers sorted by user, item, and `later` within a pair.
template <typename Later>
Rows sorted_by_pair(const Interactions& all, const Later& later) {
  Rows rows(all.user.size());
  std::iota(rows.begin(), rows.end(), std::int64_t{0});
  std::sort(rows.begin(), rows.end(), [&](std::int64_t a, std::int64_t b) {
    if (all.user[a] != all.user[b]) return all.user[a] < all.user[b];
    if (all.item[a] != all.item[b]) return all.item[a] < all.item[b];
    return later(a, b);
  });
  return rows;
}

bool same_pair(const Interactions& all, std::int64_t a, std::int64_t b) {
  return all.user[a] == all.user[b] && all.item[a] == all.item[b];
}

// Rows grouped by `key`: those of key k are grouped[start[k] .. start[k + 1]).
struct Groups {
  std::vector<std::int64_t> start;
  Rows grouped;
};

Groups group_rows(const std::vector<std::int32_t>& key, std::int64_t keys) {
  Groups groups{std::vector<std::int64_t>(static_cast<std::size_t>(keys) + 1, 0), Rows(key.size())};
  for (const std::int32_t k : key) ++groups.start[k + 1];
  std::partial_sum(groups.start.begin(), groups.start.end(), groups.start.begin());
  std::vector<std::int64_t> next(groups.start.begin(), groups.start.end() - 1);
  for (std::size_t row = 0; row < key.size(); ++row)
    groups.grouped[next[key[row]]++] = static_cast<std::int64_t>(row);
  return groups;
}

// Drops users and items that fall short, each at most once: linear in the number of rows.
class CorePeeler {
 public:
  CorePeeler(const Interactions& all, std::int64_t users, std::int64_t items, std::int64_t user_core,
             std::int64_t item_core)
      : sides_{{all.user, group_rows(all.user, users), user_core},
               {all.item, group_rows(all.item, items), item_core}},
        alive_(all.user.size(), true) {
    for (Side& side : sides_) {
      const std::size_t keys = side.rows.start.size() - 1;
      side.degree.resize(keys);
      side.dropped.assign(keys, false);
      for (std::size_t k = 0; k < keys; ++k) side.degree[k] = side.rows.start[k + 1] - side.rows.start[k];
    }
  }

  Rows peel() {
    for (int s : {0, 1})
      for (std::size_t k = 0; k < sides_[s].degree.size(); ++k) check(s, static_cast<std::int32_t>(k));
    while (!queue_.empty()) {
      const auto [s, k] = queue_.back();
      queue_.pop_back();
      const Groups& rows = sides_[s].rows;
      for (std::int64_t i = rows.start[k]; i < rows.start[k + 1]; ++i) drop(rows.grouped[i], 1 - s);
    }
    Rows kept;
    for (std::size_t row = 0; row < alive_.size(); ++row)
      if (alive_[row]) kept.push_back(static_cast<std::int64_t>(row));
    return kept;
  }

 private:
  struct Side {
    const std::vector<std::int32_t>& key;
    Groups rows;
    std::int64_t core;
    std::vector<std::int64_t> degree = {};
    std::vector<bool> dropped = {};
  };
  void check(int s, std::int32_t k) {
    Side& side = sides_[s];
    if (side.dropped[k] || side.degree[k] >= side.core) return;
    side.dropped[k] = true;
    queue_.emplace_back(s, k);
  }
  void drop(std::int64_t row, int other) {
    if (!alive_[row]) return;
    alive_[row] = false;
    const std::int32_t k = sides_[other].key[row];
    --sides_[other].degree[k];
    check(other, k);
  }

  Side sides_[2];
  std::vector<bool> alive_;
  std::vector<std::pair<int, std::int32_t>> queue_;
};

}  // namespace

Rows last_of_duplicates(const Interactions& all) {
  const Rows sorted = sorted_by_pair(all, [&](std::int64_t a, std::int64_t b) {
    return all.timestamp[a] != all.timestamp[b] ? all.timestamp[a] < all.timestamp[b] : a < b;
  });
  Rows kept;
  for (std::size_t i = 0; i < sorted.size(); ++i)
    if (i + 1 == sorted.size() || !same_pair(all, sorted[i], sorted[i + 1])) kept.push_back(sorted[i]);
  std::sort(kept.begin(), kept.end());
  return kept;
}

std::optional<std::pair<std::int64_t, std::int64_t>> first_duplicate(const Interactions& all) {
  const Rows sorted = sorted_by_pair(all, std::less<>());
  std::optional<std::pair<std::int64_t, std::int64_t>> first;
  for (std::size_t i = 0; i < sorted.size();) {
    std::size_t end = i + 1;
    while (end < sorted.size() && same_pair(all, sorted[i], sorted[end])) ++end;
    if (end > i + 1 && (!first || sorted[i + 1] < first->second)) first = {sorted[i], sorted[i + 1]};
    i = end;
  }
  return first;
}

Rows rated_at_least(const Interactions& all, double rating) {
  Rows kept;
  for (std::size_t row = 0; row < all.rating.size(); ++row)
    if (static_cast<double>(all.rating[row]) >= rating) kept.push_back(static_cast<std::int64_t>(row));
  return kept;
}

Rows k_core(const Interactions& all, std::int64_t users, std::int64_t items, std::int64_t user_core,
            std::int64_t item_core) {
  return CorePeeler(all, users, items, user_core, item_core).peel();
}

Interactions take_rows(const Interactions& all, const Rows& rows) {
  Interactions result;
  result.user.reserve(rows.size());
  result.item.reserve(rows.size());
  result.rating.reserve(rows.size());
  result.timestamp.reserve(rows.size());
  for (const std::int64_t row : rows) {
    result.user.push_back(all.user[row]);
    result.item.push_back(all.item[row]);
    result.rating.push_back(all.rating[row]);
    result.timestamp.push_back(all.timestamp[row]);
  }
  return result;
}

}  // namespace hyperllm::data
