#include "hyperllm/kernels/negatives.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "hyperllm/base/random.h"

namespace hyperllm::kernels {
namespace {

struct Known {
  std::vector<std::int64_t> indptr = {0};
  std::vector<std::int32_t> indices;
  std::int64_t columns;

  Known(std::int64_t all, const std::vector<std::vector<std::int32_t>>& rows) : columns(all) {
    for (const auto& row : rows) {
      indices.insert(indices.end(), row.begin(), row.end());
      indptr.push_back(static_cast<std::int64_t>(indices.size()));
    }
  }
  KnownColumns view() const { return {columns, indptr, indices}; }
  bool has(std::int32_t row, std::int32_t column) const {
    return std::binary_search(indices.begin() + indptr[row], indices.begin() + indptr[row + 1], column);
  }
};

// Rows with no, some, and nearly all columns; each missing column about equally often, known ones never.
TEST(Negatives, AreUniformAmongTheMissingColumns) {
  const Known known(20,
                    {{}, {0}, {19}, {0, 1, 2, 3}, {3, 7, 8, 11, 18}, {0, 2, 4, 6, 8, 10, 12, 14, 16, 18}});
  const std::int64_t draws = 40000;
  for (std::int32_t row = 0; row < 6; ++row) {
    const std::vector<std::int32_t> rows(draws, row);
    std::vector<std::int32_t> negative(draws);
    draw_negatives(known.view(), rows, 17, negative);
    std::vector<std::int64_t> counts(20);
    for (std::int32_t column : negative) ++counts.at(column);
    const double missing = 20.0 - static_cast<double>(known.indptr[row + 1] - known.indptr[row]);
    for (std::int32_t column = 0; column < 20; ++column) {
      const double expected = known.has(row, column) ? 0 : draws / missing;
      EXPECT_NEAR(counts[column], expected, 5 * std::sqrt(expected)) << "row " << row << " column " << column;
    }
  }
}

TEST(Negatives, TheOnlyMissingColumnIsFound) {
  for (std::int32_t absent = 0; absent < 70; ++absent) {
    std::vector<std::int32_t> row;
    for (std::int32_t column = 0; column < 70; ++column)
      if (column != absent) row.push_back(column);
    const std::vector<std::int32_t> rows = {0, 0, 0};
    std::vector<std::int32_t> negative(3);
    draw_negatives(Known(70, {row}).view(), rows, static_cast<std::uint64_t>(absent), negative);
    EXPECT_EQ(negative, std::vector<std::int32_t>(3, absent));
  }
}

// A draw is a function of the stream and its position alone.
TEST(Negatives, ADrawDependsOnKeyPositionAndRow) {
  Random random(1, "rows");
  std::vector<std::vector<std::int32_t>> lists(50);
  for (auto& list : lists)
    for (std::int32_t column = 0; column < 300; ++column)
      if (random.below(5) == 0) list.push_back(column);
  const Known known(300, lists);
  std::vector<std::int32_t> rows(5000), all(5000), part(3000), other(5000);
  for (auto& row : rows) row = static_cast<std::int32_t>(random.below(50));
  draw_negatives(known.view(), rows, 5, all);
  draw_negatives(known.view(), std::span(rows).first(3000), 5, part);
  draw_negatives(known.view(), rows, 6, other);
  EXPECT_TRUE(std::equal(part.begin(), part.end(), all.begin()));
  EXPECT_NE(all, other);
  for (std::size_t i = 0; i < rows.size(); ++i) ASSERT_FALSE(known.has(rows[i], all[i]));
}

}  // namespace
}  // namespace hyperllm::kernels
