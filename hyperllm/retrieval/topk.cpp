#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <string>

#include "hyperllm/base/error.h"
#include "hyperllm/base/parallel.h"
#include "hyperllm/kernels/elementwise.h"
#include "hyperllm/retrieval/scorer.h"

namespace hyperllm::retrieval {
namespace {

using Masks = std::span<const data::Csr* const>;

// Users that one thread takes at a time, and how many of them are scored together. Both depend on the
// catalogue alone: a tile of scores stays near 16 MiB.
constexpr std::int64_t kUsersPerBlock = 512;
constexpr std::int64_t kMaxTile = 64;
constexpr std::int64_t kTileScores = std::int64_t{1} << 22;

std::int64_t tile_size(std::int64_t items) {
  return std::clamp<std::int64_t>(kTileScores / std::max<std::int64_t>(items, 1), 1, kMaxTile);
}

struct Candidate {
  float score;
  std::int32_t item;
};

bool better(const Candidate& a, const Candidate& b) {
  return a.score > b.score || (a.score == b.score && a.item < b.item);
}

bool masked(Masks masks, std::int32_t user, std::int32_t item) {
  return std::any_of(masks.begin(), masks.end(), [&](const data::Csr* mask) {
    const auto row = mask->row(user);
    return std::binary_search(row.begin(), row.end(), item);
  });
}

[[noreturn]] void fail_nan(std::int32_t user, std::int32_t item) {
  throw Error(ErrorCode::kNonFinite, "the score of user row " + std::to_string(user) + " for item row " +
                                         std::to_string(item) +
                                         " is not a number; the model holds a NaN or overflows: train again "
                                         "with a smaller learning rate");
}

// Leaves the k best items of one row in `best`, best first. One pass: the heap's worst score is the bar, and
// mask and NaN are looked at only for the few items that pass it (a NaN passes every bar).
void select(std::span<const float> scores, Masks masks, std::int32_t user, std::size_t k,
            std::vector<Candidate>& best) {
  best.clear();
  const auto items = static_cast<std::int32_t>(scores.size());
  std::int32_t item = 0;
  for (; item < items && best.size() < k; ++item) {
    if (std::isnan(scores[item])) fail_nan(user, item);
    if (!masked(masks, user, item)) best.push_back({scores[item], item});
  }
  std::make_heap(best.begin(), best.end(), better);
  for (; item < items; ++item) {
    const std::int64_t ahead = kernels::first_above(scores.subspan(item), best.front().score);
    if (ahead < 0) break;
    item += static_cast<std::int32_t>(ahead);
    if (std::isnan(scores[item])) fail_nan(user, item);
    if (masked(masks, user, item)) continue;
    std::pop_heap(best.begin(), best.end(), better);
    best.back() = {scores[item], item};
    std::push_heap(best.begin(), best.end(), better);
  }
  std::sort_heap(best.begin(), best.end(), better);
}

void check_arguments(const Scorer& scorer, std::span<const std::int32_t> users, Masks masks, std::int64_t k) {
  HYPERLLM_CHECK(k >= 1, ErrorCode::kInvalidArgument, "k must be at least 1, got " + std::to_string(k));
  for (const std::int32_t user : users)
    HYPERLLM_CHECK(user >= 0 && user < scorer.num_users(), ErrorCode::kInvalidArgument,
                   "user row " + std::to_string(user) + " is not among the model's " +
                       std::to_string(scorer.num_users()) + " users");
  for (const data::Csr* mask : masks)
    HYPERLLM_CHECK(mask->rows == scorer.num_users() && mask->cols == scorer.num_items(),
                   ErrorCode::kInvalidArgument,
                   "a mask of " + std::to_string(mask->rows) + " x " + std::to_string(mask->cols) +
                       " does not fit a model of " + std::to_string(scorer.num_users()) + " users x " +
                       std::to_string(scorer.num_items()) + " items");
}

void rank_inner_products(const InnerProducts& products, std::span<const std::int32_t> users, Masks masks,
                         RankingState* state, TopK& result) {
  std::vector<kernels::MaskRows> rows;
  for (const data::Csr* mask : masks) rows.push_back({mask->indptr, mask->indices});
  if (state && state->lists.size() != result.items.size()) state->lists.assign(result.items.size(), -1);
  const auto nan =
      kernels::masked_top_k(products.users, products.items, users, rows, result.k, result.items,
                            result.scores, state ? std::span(state->lists) : std::span<std::int32_t>());
  if (nan) fail_nan(users[nan->position], nan->item);
}

void rank_tiles(const Scorer& scorer, std::span<const std::int32_t> users, Masks masks, TopK& result) {
  const auto items = static_cast<std::size_t>(scorer.num_items());
  const auto tile = static_cast<std::size_t>(tile_size(scorer.num_items()));
  const auto width = static_cast<std::size_t>(result.k);
  parallel_ranges(std::ssize(users), kUsersPerBlock, [&](std::int64_t begin, std::int64_t end) {
    const auto scores = std::make_unique_for_overwrite<float[]>(tile * items);
    std::vector<Candidate> best;
    for (auto first = static_cast<std::size_t>(begin); first < static_cast<std::size_t>(end); first += tile) {
      const std::size_t count = std::min(tile, static_cast<std::size_t>(end) - first);
      scorer.score(users.subspan(first, count), {scores.get(), count * items});
      for (std::size_t b = 0; b < count; ++b) {
        select({scores.get() + b * items, items}, masks, users[first + b], width, best);
        for (std::size_t rank = 0; rank < best.size(); ++rank) {
          result.items[(first + b) * width + rank] = best[rank].item;
          result.scores[(first + b) * width + rank] = best[rank].score;
        }
      }
    }
  });
}

}  // namespace

TopK top_k(const Scorer& scorer, std::span<const std::int32_t> users, Masks masks, std::int64_t k,
           RankingState* state) {
  check_arguments(scorer, users, masks, k);
  TopK result;
  result.k = k;
  result.items.assign(users.size() * static_cast<std::size_t>(k), -1);
  result.scores.assign(result.items.size(), -std::numeric_limits<float>::infinity());
  if (const InnerProducts* products = scorer.inner_products())
    rank_inner_products(*products, users, masks, state, result);
  else
    rank_tiles(scorer, users, masks, result);
  return result;
}

}  // namespace hyperllm::retrieval
