// A dataset folder of four users and five items, small enough to check by hand.
#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "hyperllm/data/dataset.h"

namespace hyperllm::test {

using Pairs = std::vector<std::pair<std::int32_t, std::int32_t>>;

inline data::Interactions interactions(const Pairs& pairs) {
  data::Interactions out;
  for (const auto& [user, item] : pairs) {
    out.user.push_back(user);
    out.item.push_back(item);
    out.rating.push_back(1);
    out.timestamp.push_back(0);
  }
  return out;
}

// Users u0 to u3, items i0 to i4; u3 has no training item.
inline data::Dataset small_dataset(const std::filesystem::path& folder) {
  data::Dataset dataset;
  dataset.name = folder.filename().string();
  dataset.users = {"u0", "u1", "u2", "u3"};
  dataset.items = {"i0", "i1", "i2", "i3", "i4"};
  dataset.train = interactions({{0, 0}, {0, 1}, {1, 1}, {1, 2}, {2, 0}});
  dataset.valid = interactions({{0, 3}, {1, 3}});
  dataset.test = interactions({{2, 4}, {3, 4}});
  return dataset;
}

}  // namespace hyperllm::test
