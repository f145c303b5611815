#include "hyperllm/data/csr.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "hyperllm/base/error.h"
#include "hyperllm/base/random.h"
#include "hyperllm/data/ids.h"

namespace hyperllm::data {
namespace {

using Pairs = std::vector<std::pair<std::int32_t, std::int32_t>>;
using Set = std::set<std::pair<std::int32_t, std::int32_t>>;

Pairs random_pairs(std::uint64_t seed, std::int64_t rows, std::int64_t cols, std::size_t count) {
  Random random(seed, "csr_test");
  Pairs pairs(count);
  for (auto& [r, c] : pairs) {
    r = static_cast<std::int32_t>(random.below(static_cast<std::uint64_t>(rows)));
    c = static_cast<std::int32_t>(random.below(static_cast<std::uint64_t>(cols)));
  }
  return pairs;
}

Set entries(const Csr& csr) {
  Set result;
  for (std::int64_t r = 0; r < csr.rows; ++r)
    for (const std::int32_t c : csr.row(r)) result.emplace(static_cast<std::int32_t>(r), c);
  return result;
}

TEST(Csr, HoldsExactlyThePairsSortedAndOnce) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const Pairs pairs = random_pairs(seed, 7, 5, 3 * seed);
    const Csr csr = make_csr(7, 5, pairs);
    const Set expected(pairs.begin(), pairs.end());
    EXPECT_EQ(entries(csr), expected);
    EXPECT_EQ(csr.nnz(), static_cast<std::int64_t>(expected.size()));
    for (std::int64_t r = 0; r < csr.rows; ++r) {
      EXPECT_TRUE(std::is_sorted(csr.row(r).begin(), csr.row(r).end()));
      for (std::int32_t c = 0; c < 5; ++c)
        EXPECT_EQ(csr.contains(r, c), expected.count({static_cast<std::int32_t>(r), c}) == 1);
    }
  }
}

TEST(Csr, TransposedSwapsThePairs) {
  const Pairs pairs = random_pairs(3, 9, 4, 25);
  const Csr csr = make_csr(9, 4, pairs), back = csr.transposed().transposed();
  Set swapped;
  for (const auto& [r, c] : pairs) swapped.emplace(c, r);
  EXPECT_EQ(entries(csr.transposed()), swapped);
  EXPECT_EQ(csr.transposed().rows, 4);
  EXPECT_EQ(back.indices, csr.indices);
  EXPECT_EQ(back.indptr, csr.indptr);
}

TEST(Csr, UniteIsTheUnionOfTheSets) {
  const Pairs a = random_pairs(1, 6, 6, 12), b = random_pairs(2, 6, 6, 12);
  Set expected(a.begin(), a.end());
  expected.insert(b.begin(), b.end());
  EXPECT_EQ(entries(unite(make_csr(6, 6, a), make_csr(6, 6, b))), expected);
  EXPECT_THROW(unite(make_csr(6, 6, a), make_csr(6, 7, b)), Error);
}

TEST(Csr, AnIdOutOfRangeIsAnError) {
  for (const auto& pair : Pairs{{2, 0}, {0, 3}, {-1, 0}, {0, -1}})
    EXPECT_THROW(make_csr(2, 3, Pairs{pair}), Error) << pair.first << ", " << pair.second;
  EXPECT_THROW(make_csr(std::int64_t{1} << 40, 3, {}), Error);
  EXPECT_EQ(make_csr(0, 0, {}).nnz(), 0);
}

TEST(IdTable, NumbersByFirstAppearanceLikeAMap) {
  Random random(5, "ids");
  IdTable table;
  std::map<std::string, std::int32_t> expected;
  EXPECT_EQ(table.find("0"), -1);
  for (int i = 0; i < 20000; ++i) {
    const std::string id = std::to_string(random.below(5000));
    const auto number = expected.emplace(id, static_cast<std::int32_t>(expected.size())).first->second;
    EXPECT_EQ(table.add(id), number);
  }
  EXPECT_EQ(table.size(), static_cast<std::int32_t>(expected.size()));
  EXPECT_EQ(table.find("5000"), -1);
  for (const auto& [id, number] : expected) {
    EXPECT_EQ(table.find(id), number);
    EXPECT_EQ(table[number], id);
  }
  EXPECT_EQ(std::move(table).take().size(), expected.size());
}

}  // namespace
}  // namespace hyperllm::data
