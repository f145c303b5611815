// Synthetic interactions and tags of any size, for benchmarks: with something to learn in them and with long
// tails.
//
// Tags form a tree of three levels. Every item hangs on one leaf and its ancestors, and on leaves near by up
// to the wanted number; the items below one tag of the middle level are a branch. A user likes a few
// branches: most of their items come from them, the rest from anywhere. The chance of the branch of rank r
// falls as r^-1/2, that of an item within its branch as r^-2/3. A fifth of the users are six times as active
// as the others.
#pragma once

#include <cstdint>

#include "hyperllm/data/dataset.h"
#include "hyperllm/data/tags.h"

namespace hyperllm::data {

struct SyntheticShape {
  std::int64_t users = 10'553;  // the defaults are Amazon-Beauty's sizes
  std::int64_t items = 6'086;
  std::int64_t interactions = 94'148;  // train, valid and test together; a few per cent more or less come out
  std::int64_t tags = 6'418;
  std::int64_t tag_edges = 16'739;  // likewise
  std::int64_t tag_items = 51'396;  // likewise
  std::uint64_t seed = 1;
};

struct Synthetic {
  // Ids "u0", "i0", ...; an eighth of a user's items, at least one, is in each of valid and test.
  Dataset dataset;
  TagGraph tags;
};

// A function of the shape alone, for any number of threads. Throws kInvalidArgument unless users >= 1,
// tags >= 32, items >= 64, tag_edges >= tags, tag_items >= 3 items, and
// 4 users <= interactions <= users items / 8.
Synthetic make_synthetic(const SyntheticShape& shape);

}  // namespace hyperllm::data
