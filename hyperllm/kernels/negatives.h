// Negative samples: columns that a row does not have.
#pragma once

#include <cstdint>
#include <span>

namespace hyperllm::kernels {

// The columns that each row has, ascending and without duplicates (as data::Csr).
struct KnownColumns {
  std::int64_t columns = 0;
  std::span<const std::int64_t> indptr;
  std::span<const std::int32_t> indices;
};

// negative[i] is uniform among the columns that row rows[i] does not have, independently for every i; each of
// the rows lacks at least one. A pure function of the arguments: the i-th draw is the i-th number of the
// stream `key` (splitmix64), turned into the rank of a missing column, which a binary search finds; there is
// no rejection, no table, and no extra memory, however many columns a row has. Uniform up to columns / 2^64.
void draw_negatives(const KnownColumns& known, std::span<const std::int32_t> rows, std::uint64_t key,
                    std::span<std::int32_t> negative);

}  // namespace hyperllm::kernels
