#include "hyperllm/kernels/negatives.h"

#include "hyperllm/base/parallel.h"
#include "hyperllm/base/random.h"

namespace hyperllm::kernels {
namespace {

constexpr std::int64_t kGrain = 2048;

// The missing column of this rank (from 0) in a row: the rank plus the known columns before it, which are
// those with row[j] - j <= rank.
std::int32_t missing_column(std::span<const std::int32_t> row, std::int32_t rank) {
  std::int32_t before = 0;
  for (auto left = static_cast<std::int32_t>(row.size()); left > 0;) {
    const std::int32_t half = left / 2, at = before + half;
    const bool right = row[static_cast<std::size_t>(at)] - at <= rank;
    before = right ? at + 1 : before;
    left = right ? left - half - 1 : half;
  }
  return rank + before;
}

}  // namespace

void draw_negatives(const KnownColumns& known, std::span<const std::int32_t> rows, std::uint64_t key,
                    std::span<std::int32_t> negative) {
  __extension__ using Wide = unsigned __int128;
  parallel_ranges(static_cast<std::int64_t>(rows.size()), kGrain, [&](std::int64_t begin, std::int64_t end) {
    Random random(Random::State{key, static_cast<std::uint64_t>(begin)});
    for (std::int64_t i = begin; i < end; ++i) {
      const std::int64_t first = known.indptr[rows[i]], last = known.indptr[rows[i] + 1];
      const auto missing = static_cast<std::uint64_t>(known.columns - (last - first));
      const auto rank = static_cast<std::int32_t>((static_cast<Wide>(random()) * missing) >> 64);
      negative[i] = missing_column(known.indices.subspan(first, last - first), rank);
    }
  });
}

}  // namespace hyperllm::kernels
