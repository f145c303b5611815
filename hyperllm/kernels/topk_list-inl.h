// A user's list of candidates, per instruction set: cut to the k best, freed of masked items, put in order.
// Lists have room for one vector after their end.
#if defined(HYPERLLM_KERNELS_TOPK_LIST_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef HYPERLLM_KERNELS_TOPK_LIST_INL_H_
#undef HYPERLLM_KERNELS_TOPK_LIST_INL_H_
#else
#define HYPERLLM_KERNELS_TOPK_LIST_INL_H_
#endif

#include <hwy/highway.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <limits>

#include "hyperllm/kernels/topk_block.h"

HWY_BEFORE_NAMESPACE();
namespace hyperllm::kernels::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;
using detail::kPanel;
using detail::TopKBlock;

using Floats = hn::CappedTag<float, kPanel / 2>;
using Vector = hn::Vec<Floats>;

// Floats in their order as integers; what orders them fits 32 bits, sums of two do not.
HWY_INLINE std::int64_t to_key(float value) {
  const auto bits = std::bit_cast<std::int32_t>(value);
  return bits >= 0 ? bits : bits ^ 0x7fffffff;
}
HWY_INLINE float from_key(std::int64_t key) {
  const auto bits = static_cast<std::int32_t>(key);
  return std::bit_cast<float>(bits >= 0 ? bits : bits ^ 0x7fffffff);
}

// For each mask of eight bits the places of the lanes that are set, then of the others.
inline constexpr auto kFront = [] {
  std::array<std::array<std::uint8_t, 8>, 256> places{};
  for (unsigned bits = 0; bits < 256; ++bits) {
    std::size_t to = 0;
    for (unsigned wanted : {1u, 0u})
      for (unsigned lane = 0; lane < 8; ++lane)
        if ((bits >> lane & 1) == wanted) places[bits][to++] = static_cast<std::uint8_t>(lane);
  }
  return places;
}();

// Writes the lanes of `mask` side by side, and whatever follows them in a vector; returns how many they are.
// Not Highway's Compress but where an instruction does it: compiled by GCC, version 1.0.3 copies its table to
// the stack at every call.
template <class Mask>
HWY_ATTR HWY_INLINE std::size_t store_front(Vector s, hn::Vec<hn::RebindToSigned<Floats>> id, Mask mask,
                                            float* scores, std::int32_t* ids) {
  const Floats d;
  const hn::RebindToSigned<Floats> di;
#if HWY_TARGET != HWY_SCALAR && HWY_TARGET > HWY_AVX3
  std::uint8_t bits[8] = {};
  hn::StoreMaskBits(d, mask, bits);
  const hn::Rebind<std::uint8_t, Floats> bytes;
  const auto front = hn::IndicesFromVec(d, hn::PromoteTo(di, hn::LoadU(bytes, kFront[bits[0]].data())));
  hn::StoreU(hn::TableLookupLanes(s, front), d, scores);
  hn::StoreU(hn::BitCast(di, hn::TableLookupLanes(hn::BitCast(d, id), front)), di, ids);
  return static_cast<std::size_t>(std::popcount(bits[0]));
#else
  hn::StoreU(hn::Compress(s, mask), d, scores);
  hn::StoreU(hn::Compress(id, hn::RebindMask(di, mask)), di, ids);
  return hn::CountTrue(d, mask);
#endif
}

HWY_INLINE std::size_t count_from(const float* scores, std::size_t size, float bound) {
  const Floats d;
  std::size_t count = 0;
  for (std::size_t i = 0; i < size; i += hn::Lanes(d))
    count += hn::CountTrue(d, hn::Ge(hn::LoadU(d, scores + i), hn::Set(d, bound)));
  return count;
}

// Cuts the list to its k best, in their order (ties: the first), and returns the k-th best score; size >= k.
// Bisects for a bound that exactly k scores reach: no branch depends on the data but the loop's end.
HWY_ATTR inline float keep_best(float* scores, std::int32_t* ids, std::size_t size, std::size_t k) {
  const Floats d;
  const hn::RebindToSigned<Floats> di;
  const std::size_t lanes = hn::Lanes(d);
  // NaN after the end is below and above nothing.
  hn::StoreU(hn::Set(d, std::numeric_limits<float>::quiet_NaN()), d, scores + size);
  const auto infinity = hn::Set(d, std::numeric_limits<float>::infinity());
  auto smallest = infinity, largest = hn::Neg(infinity);
  for (std::size_t i = 0; i < size; i += lanes) {
    const auto s = hn::LoadU(d, scores + i);
    smallest = hn::IfThenElse(hn::Lt(s, smallest), s, smallest);
    largest = hn::IfThenElse(hn::Gt(s, largest), s, largest);
  }
  std::int64_t reached = to_key(hn::GetLane(hn::MinOfLanes(d, smallest)));
  std::int64_t missed = to_key(hn::GetLane(hn::MaxOfLanes(d, largest))) + 1;
  std::size_t count = size;
  while (count != k && missed - reached > 1) {
    const std::int64_t middle = reached + (missed - reached) / 2;
    const std::size_t above = count_from(scores, size, from_key(middle));
    (above >= k ? reached : missed) = middle;
    if (above >= k) count = above;
  }
  const float bound = from_key(reached);
  std::size_t kept = 0;
  if (count == k) {
    smallest = infinity;
    for (std::size_t i = 0; i < size; i += lanes) {
      const auto s = hn::LoadU(d, scores + i);
      const auto id = hn::LoadU(di, ids + i);
      const auto good = hn::Ge(s, hn::Set(d, bound));
      smallest = hn::Min(smallest, hn::IfThenElse(good, s, infinity));
      kept += store_front(s, id, good, scores + kept, ids + kept);
    }
    return hn::GetLane(hn::MinOfLanes(d, smallest));
  }
  std::size_t above = 0;
  for (std::size_t i = 0; i < size; ++i) above += scores[i] > bound;
  std::size_t ties = k - above;
  for (std::size_t i = 0; i < size; ++i) {
    const bool tie = scores[i] == bound && ties > 0;
    if (!tie && !(scores[i] > bound)) continue;
    ties -= tie;
    scores[kept] = scores[i];
    ids[kept++] = ids[i];
  }
  return bound;
}

// Drops the masked among the candidates that came since the last time. Both sides ascend: every id of a mask
// is compared with one vector of candidates, once.
HWY_ATTR inline void remove_masked(const TopKBlock& block, std::size_t user) {
  const Floats d;
  const hn::RebindToSigned<Floats> di;
  const std::size_t lanes = hn::Lanes(d), size = block.sizes[user];
  float* scores = block.scores + user * block.stride;
  std::int32_t* ids = block.ids + user * block.stride;
  std::size_t kept = block.clean[user];
  for (std::size_t i = kept; i < size; i += lanes) {
    const auto s = hn::LoadU(d, scores + i);
    const auto id = hn::LoadU(di, ids + i);
    const std::int32_t last = ids[std::min(i + lanes, size) - 1];
    auto good = hn::FirstN(di, size - i);
    for (std::size_t m = user * block.masks; m < (user + 1) * block.masks; ++m)
      for (const std::int32_t*& next = block.mask_next[m]; next < block.mask_end[m] && *next <= last; ++next)
        good = hn::And(good, hn::Ne(id, hn::Set(di, *next)));
    kept += store_front(s, id, hn::RebindMask(d, good), scores + kept, ids + kept);
  }
  block.sizes[user] = block.clean[user] = static_cast<std::uint32_t>(kept);
}

HWY_ATTR inline void prune(const TopKBlock& block, std::size_t user) {
  remove_masked(block, user);
  if (block.sizes[user] < block.k) return;
  const std::size_t place = user * block.stride;
  block.bars[user] = keep_best(block.scores + place, block.ids + place, block.sizes[user], block.k);
  block.sizes[user] = block.clean[user] = static_cast<std::uint32_t>(block.k);
}

// rank[i] = place of candidate i, best first, ties in their order. Quadratic: for short lists.
HWY_ATTR inline void place_candidates(float* scores, std::size_t count, std::uint32_t* rank) {
  const Floats d;
  hn::StoreU(hn::Set(d, std::numeric_limits<float>::quiet_NaN()), d, scores + count);
  for (std::size_t i = 0; i < count; ++i) {
    const auto own = hn::Set(d, scores[i]);
    std::size_t better = 0;
    for (std::size_t j = 0; j < count; j += hn::Lanes(d)) {
      const auto s = hn::LoadU(d, scores + j);
      const auto before = hn::FirstN(d, i > j ? i - j : 0);
      better += hn::CountTrue(d, hn::Or(hn::Gt(s, own), hn::And(hn::Eq(s, own), before)));
    }
    rank[i] = static_cast<std::uint32_t>(better);
  }
}

}  // namespace hyperllm::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
