#include "hyperllm/kernels/topk.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <new>
#include <numeric>

#include "hyperllm/base/parallel.h"
#include "hyperllm/kernels/topk_amx.h"
#include "hyperllm/kernels/topk_block.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "hyperllm/kernels/topk.cpp"
// clang-format off: foreach_target.h must come first
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "hyperllm/kernels/topk_list-inl.h"
// clang-format on

HWY_BEFORE_NAMESPACE();
namespace hyperllm::kernels::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;
using detail::kBlockUsers;
using detail::kGroup;
using detail::kManyUsers;
using detail::kPanel;
using detail::TopKBlock;

// Two vectors of scores a user: as many users as leave registers for the items and a coordinate.
#if HWY_TARGET <= HWY_AVX3 || HWY_ARCH_ARM_A64
constexpr std::size_t kTileUsers = 12;
#else
constexpr std::size_t kTileUsers = 6;
#endif

// The first coordinates of an item and of a user; those that follow lie kPanel and kGroup apart.
HWY_INLINE const float* panel_of(const TopKBlock& block, std::size_t item) {
  return block.panels + item / kPanel * kPanel * block.width + item % kPanel;
}
HWY_INLINE const float* query_of(const TopKBlock& block, std::size_t user) {
  return block.queries + user / kGroup * kGroup * block.width + user % kGroup;
}

HWY_INLINE void score_tile(const float* HWY_RESTRICT queries, const float* HWY_RESTRICT panel,
                           std::size_t width, Vector (&low)[kTileUsers], Vector (&high)[kTileUsers]) {
  const Floats d;
  HWY_UNROLL(16)
  for (std::size_t u = 0; u < kTileUsers; ++u) low[u] = high[u] = hn::Zero(d);
  for (std::size_t k = 0; k < width; ++k) {
    const auto a = hn::Load(d, panel), b = hn::Load(d, panel + hn::Lanes(d));
    HWY_UNROLL(16)
    for (std::size_t u = 0; u < kTileUsers; ++u) {
      const auto q = hn::Set(d, queries[u]);
      low[u] = hn::MulAdd(q, a, low[u]);
      high[u] = hn::MulAdd(q, b, high[u]);
    }
    panel += kPanel;
    queries += kGroup;
  }
}

// One vector of the same scores, for so many users.
template <std::size_t kUsers>
HWY_INLINE void score_users(const float* const (&queries)[kUsers], const float* HWY_RESTRICT items,
                            std::size_t width, float* HWY_RESTRICT scores) {
  const Floats d;
  Vector sums[kUsers];
  HWY_UNROLL(8)
  for (std::size_t u = 0; u < kUsers; ++u) sums[u] = hn::Zero(d);
  for (std::size_t k = 0; k < width; ++k, items += kPanel) {
    const auto values = hn::Load(d, items);
    HWY_UNROLL(8)
    for (std::size_t u = 0; u < kUsers; ++u)
      sums[u] = hn::MulAdd(hn::Set(d, queries[u][k * kGroup]), values, sums[u]);
  }
  HWY_UNROLL(8)
  for (std::size_t u = 0; u < kUsers; ++u) hn::Store(sums[u], d, scores + u * hn::Lanes(d));
}

// Vectors of scores, the first for item `first`.
HWY_ATTR void append(const TopKBlock& block, std::size_t user, const float* scores, std::size_t first,
                     std::size_t vectors) {
  const Floats d;
  const hn::RebindToSigned<Floats> di;
  if (user >= block.users || block.nans[user] >= 0) return;
  const auto bar = hn::Set(d, block.bars[user]);
  const auto end = hn::Set(di, static_cast<std::int32_t>(block.items));
  const auto lane = hn::Iota(di, 0);
  const std::size_t place = user * block.stride;
  for (std::size_t i = first; i < first + vectors * hn::Lanes(d); i += hn::Lanes(d)) {
    const auto s = hn::Load(d, scores + i - first);
    const auto id = hn::Add(lane, hn::Set(di, static_cast<std::int32_t>(i)));
    const auto hits = hn::And(hn::Not(hn::Le(s, bar)), hn::RebindMask(d, hn::Lt(id, end)));
    if (const auto nan = hn::And(hn::IsNaN(s), hits); HWY_UNLIKELY(!hn::AllFalse(d, nan))) {
      block.nans[user] = static_cast<std::int32_t>(i) + static_cast<std::int32_t>(hn::FindFirstTrue(d, nan));
      return;
    }
    const std::size_t target = place + block.sizes[user];
    block.sizes[user] +=
        static_cast<std::uint32_t>(store_front(s, id, hits, block.scores + target, block.ids + target));
  }
  // Room for a panel and for the last vector's unused lanes.
  if (block.sizes[user] + kPanel + kPanel / 2 > block.stride) prune(block, user);
}

// Bits of the words: whether the user's mask is not full.
HWY_INLINE void gather_hits(const std::uint16_t* masks, std::uint64_t (&words)[2]) {
  const auto full = static_cast<std::uint16_t>((1u << hn::Lanes(Floats())) - 1);
  words[0] = words[1] = 0;
#if HWY_TARGET == HWY_SCALAR
  for (std::size_t u = 0; u < kBlockUsers; ++u)
    words[u / 64] |= static_cast<std::uint64_t>(masks[u] != full) << u % 64;
#else
  const hn::ScalableTag<std::uint16_t> d;
  std::uint8_t bytes[kBlockUsers / 8];
  for (std::size_t u = 0; u < kBlockUsers; u += hn::Lanes(d))
    hn::StoreMaskBits(d, hn::Ne(hn::Load(d, masks + u), hn::Set(d, full)), bytes + u / 8);
  std::memcpy(words, bytes, sizeof bytes);
#endif
}

// Two vectors of scores for the users from `begin` on, at most kBlockUsers, and whether one passes the user's
// bar.
HWY_ATTR void score_block(const TopKBlock& block, std::size_t begin, const float* panel, float* scores,
                          std::uint64_t (&words)[2]) {
  const Floats d;
  const std::size_t lanes = hn::Lanes(d);
  // Bits of the lanes in which neither score passes.
  HWY_ALIGN std::uint16_t fails[kBlockUsers];
  std::fill(fails, fails + kBlockUsers, static_cast<std::uint16_t>((1u << lanes) - 1));
  Vector low[kTileUsers], high[kTileUsers];
  for (std::size_t user = 0; user < std::min(kBlockUsers, block.users - begin); user += kTileUsers) {
    score_tile(query_of(block, begin + user), panel, block.width, low, high);
    HWY_UNROLL(16)
    for (std::size_t u = 0; u < kTileUsers; ++u) {
      const auto bar =
          hn::Set(d, block.bars[begin + user + u]);  // NaN: all pass; a NaN score passes every bar
      hn::StoreMaskBits(d, hn::And(hn::Le(low[u], bar), hn::Le(high[u], bar)),
                        reinterpret_cast<std::uint8_t*>(fails + user + u));
      hn::Store(low[u], d, scores + (user + u) * 2 * lanes);
      hn::Store(high[u], d, scores + (user + u) * 2 * lanes + lanes);
    }
  }
  gather_hits(fails, words);
}

// Hits are handled once a panel, so that no multiply-add waits for a branch that nobody can predict.
HWY_ATTR void rank_items(const TopKBlock& block, std::size_t first, float* scores) {
  const std::size_t lanes = hn::Lanes(Floats());
  std::uint64_t words[2];
  for (std::size_t begin = 0; begin < block.users; begin += kBlockUsers) {
    score_block(block, begin, panel_of(block, first), scores, words);
    for (std::size_t w = 0; w < 2; ++w)
      for (; words[w] != 0; words[w] &= words[w] - 1) {
        const std::size_t user = w * 64 + static_cast<std::size_t>(std::countr_zero(words[w]));
        append(block, begin + user, scores + user * 2 * lanes, first, 2);
      }
  }
}

// Exact scores only where the filter lets something pass. Its sixteens of items are vectors here.
HWY_ATTR void rank_passing(const TopKBlock& block, std::size_t panel, float* scores) {
  constexpr std::size_t kTogether = 8;
  const std::size_t lanes = hn::Lanes(Floats());
  std::uint64_t words[2][AmxUsers::kWords];
  block.filter->passing(panel, block.bars, words);
  std::size_t hits = 0;
  for (const auto& half : words)
    for (std::uint64_t word : half) hits += static_cast<std::size_t>(std::popcount(word));
  // Of more than half of the vectors all at once are cheaper.
  if (hits > block.users) return rank_items(block, panel * kPanel, scores);
  for (std::size_t half = 0; half < 2; ++half) {
    std::size_t count = 0, users[kManyUsers + kTogether];
    for (std::size_t w = 0; w < AmxUsers::kWords; ++w)
      for (std::uint64_t& word = words[half][w]; word != 0; word &= word - 1)
        users[count++] = w * 64 + static_cast<std::size_t>(std::countr_zero(word));
    if (count == 0) continue;
    std::fill(users + count, users + count + kTogether - 1, users[0]);
    const std::size_t first = panel * kPanel + half * lanes;
    for (std::size_t i = 0; i < count; i += kTogether) {
      const float* queries[kTogether];
      for (std::size_t t = 0; t < kTogether; ++t) queries[t] = query_of(block, users[i + t]);
      score_users(queries, panel_of(block, first), block.width, scores);
      for (std::size_t t = 0; t < std::min(kTogether, count - i); ++t)
        append(block, users[i + t], scores + t * lanes, first, 1);
    }
  }
}

HWY_ATTR void rank_panels(const TopKBlock& block) {
  static_assert(kBlockUsers <= 128 && kBlockUsers % 32 == 0 && kBlockUsers % kGroup == 0);
  HWY_ALIGN float scores[kBlockUsers * kPanel];
  if (block.filter != nullptr) {
    const std::size_t panels = (block.items + kPanel - 1) / kPanel;
    for (std::size_t begin = 0; begin < panels; begin += AmxUsers::kSegment) {
      const std::size_t end = std::min(begin + AmxUsers::kSegment, panels);
      block.filter->score(begin, end);
      if (begin == 0) block.filter->find_bars(block);
      for (std::size_t panel = begin; panel < end; ++panel) rank_passing(block, panel, scores);
    }
  } else {
    for (std::size_t first = 0; first < block.items; first += 2 * hn::Lanes(Floats()))
      rank_items(block, first, scores);
  }
  for (std::size_t user = 0; user < block.users; ++user)
    if (block.nans[user] < 0) prune(block, user);
}

// out: [user][items].
HWY_ATTR void score_panels(const TopKBlock& block, float* out) {
  const Floats d;
  const std::size_t lanes = hn::Lanes(d);
  HWY_ALIGN float scores[kPanel];
  Vector low[kTileUsers], high[kTileUsers];
  for (std::size_t first = 0; first < block.items; first += 2 * lanes) {
    for (std::size_t group = 0; group < block.users; group += kTileUsers) {
      score_tile(query_of(block, group), panel_of(block, first), block.width, low, high);
      for (std::size_t u = 0; u < kTileUsers && group + u < block.users; ++u) {
        hn::Store(low[u], d, scores);
        hn::Store(high[u], d, scores + lanes);
        std::memcpy(out + (group + u) * block.items + first, scores,
                    std::min(2 * lanes, block.items - first) * sizeof(float));
      }
    }
  }
}

HWY_INLINE float dot(const float* x, const float* y, std::size_t count) {
  const Floats d;
  auto sum = hn::Zero(d);
  std::size_t i = 0;
  for (; i + hn::Lanes(d) <= count; i += hn::Lanes(d))
    sum = hn::MulAdd(hn::LoadU(d, x + i), hn::LoadU(d, y + i), sum);
  float total = hn::GetLane(hn::SumOfLanes(d, sum));
  for (; i < count; ++i) total += x[i] * y[i];
  return total;
}

// A bar below the scores of all `guess` items, or NaN if one of them does not exist. Sums in another order
// than the tile's: the slack covers both roundings.
HWY_ATTR float bar_below(const float* query, float query_last, const EmbeddingRows& items, const float* norms,
                         const std::int32_t* guess, std::size_t k) {
  const auto dim = static_cast<std::size_t>(items.dim);
  const float norm = std::sqrt(dot(query, query, dim) + query_last * query_last);
  const float slack = norm * static_cast<float>(dim + 1) * (4 * std::numeric_limits<float>::epsilon());
  float bar = std::numeric_limits<float>::infinity();
  for (std::size_t i = 0; i < k; ++i) {
    const std::int32_t item = guess[i];
    if (item < 0 || item >= items.count()) return std::numeric_limits<float>::quiet_NaN();
    const float last = items.last.empty() ? 0.0f : query_last * items.last[item];
    bar = std::min(bar, dot(query, items.row(item), dim) + last - slack * norms[item]);
  }
  return std::nextafter(bar, -std::numeric_limits<float>::infinity());
}

}  // namespace hyperllm::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace hyperllm::kernels {

HWY_EXPORT(place_candidates);
HWY_EXPORT(rank_panels);
HWY_EXPORT(score_panels);
HWY_EXPORT(bar_below);

namespace {

using detail::kBlockUsers;
using detail::kGroup;
using detail::kManyUsers;
using detail::kPanel;
using detail::TopKBlock;

constexpr std::size_t kCandidates = 64;             // of which the k best are kept, at small k
constexpr std::size_t kCandidateFloats = 1u << 21;  // per thread, at large k
constexpr std::size_t kShortList = 256;
constexpr float kAllPass = std::numeric_limits<float>::quiet_NaN();

// Coordinates of the users at some positions, packed for the tile.
std::vector<float> pack_queries(const EmbeddingRows& queries, std::span<const std::int32_t> users,
                                std::span<const std::int64_t> positions) {
  const auto width = static_cast<std::size_t>(queries.width()), dim = static_cast<std::size_t>(queries.dim);
  std::vector<float> packed((positions.size() + kGroup - 1) / kGroup * kGroup * width, 0.0f);
  for (std::size_t b = 0; b < positions.size(); ++b) {
    const std::int32_t user = users[positions[b]];
    const float* row = queries.row(user);
    float* target = packed.data() + b / kGroup * kGroup * width + b % kGroup;
    for (std::size_t k = 0; k < dim; ++k) target[k * kGroup] = row[k];
    if (dim < width) target[dim * kGroup] = queries.last[user];
  }
  return packed;
}

struct Search {
  const EmbeddingRows& queries;
  const ItemPanels& items;
  std::span<const std::int32_t> users;
  std::span<const MaskRows> masks;
  std::size_t k, width;  // of the search, at most the items; of the outputs
  std::span<std::int32_t> top_items;
  std::span<float> top_scores;
  std::span<std::int32_t> head_start;

  std::size_t stride() const { return std::max(kCandidates, 2 * k) + kPanel + kPanel / 2; }
  std::optional<NanScore> rank(std::span<const std::int64_t> positions, bool with_head_start) const;
  void write(std::int64_t position, float* scores, const std::int32_t* ids, std::size_t count,
             std::vector<std::uint32_t>& rank) const;
  float bar(std::int64_t position) const;
};

float Search::bar(std::int64_t position) const {
  const std::int32_t user = users[position];
  return HWY_DYNAMIC_DISPATCH(bar_below)(queries.row(user), queries.last.empty() ? 0.0f : queries.last[user],
                                         items.rows(), items.norms(),
                                         head_start.data() + position * static_cast<std::int64_t>(width), k);
}

void Search::write(std::int64_t position, float* scores, const std::int32_t* ids, std::size_t count,
                   std::vector<std::uint32_t>& rank) const {
  rank.resize(count);
  if (count <= kShortList) {
    HWY_DYNAMIC_DISPATCH(place_candidates)(scores, count, rank.data());
  } else {
    std::vector<std::uint32_t> order(count);
    std::iota(order.begin(), order.end(), 0u);
    std::sort(order.begin(), order.end(), [&](std::uint32_t a, std::uint32_t b) {
      return scores[a] > scores[b] || (scores[a] == scores[b] && a < b);
    });
    for (std::uint32_t r = 0; r < count; ++r) rank[order[r]] = r;
  }
  const auto items_out = top_items.subspan(static_cast<std::size_t>(position) * width, width);
  const auto scores_out = top_scores.subspan(static_cast<std::size_t>(position) * width, width);
  for (std::size_t i = 0; i < count; ++i) {
    items_out[rank[i]] = ids[i];
    scores_out[rank[i]] = scores[i] + 0.0f;
  }
  std::fill(items_out.begin() + static_cast<std::ptrdiff_t>(count), items_out.end(), -1);
  std::fill(scores_out.begin() + static_cast<std::ptrdiff_t>(count), scores_out.end(),
            -std::numeric_limits<float>::infinity());
  if (head_start.empty()) return;
  const auto ids_out = head_start.subspan(static_cast<std::size_t>(position) * width, width);
  std::fill(std::copy_n(ids, count, ids_out.begin()), ids_out.end(), -1);
}

std::optional<NanScore> Search::rank(std::span<const std::int64_t> positions, bool with_head_start) const {
  const std::size_t count = positions.size();
  const bool guided = with_head_start && !items.filter();
  const std::vector<float> packed = pack_queries(queries, users, positions);
  const auto scores = std::make_unique_for_overwrite<float[]>(count * stride());
  const auto ids = std::make_unique_for_overwrite<std::int32_t[]>(count * stride());
  std::vector<std::uint32_t> sizes(count, 0), clean(count, 0);
  std::vector<std::int32_t> nans(count, -1);
  alignas(64) float bars[kManyUsers];
  std::fill(bars, bars + kManyUsers, std::numeric_limits<float>::infinity());
  std::vector<const std::int32_t*> next, end;
  for (std::size_t b = 0; b < count; ++b) {
    bars[b] = guided ? bar(positions[b]) : kAllPass;
    for (const MaskRows& mask : masks) {
      const std::int32_t user = users[positions[b]];
      next.push_back(mask.indices.data() + mask.indptr[user]);
      end.push_back(mask.indices.data() + mask.indptr[user + 1]);
    }
  }
  std::optional<AmxUsers> filter;
  if (items.filter()) {
    std::vector<std::int32_t> rows(count);
    for (std::size_t b = 0; b < count; ++b) rows[b] = users[positions[b]];
    filter.emplace(*items.filter(), queries, rows);
  }
  HWY_DYNAMIC_DISPATCH(rank_panels)
  ({.panels = items.panels(),
    .items = static_cast<std::size_t>(items.count()),
    .width = static_cast<std::size_t>(queries.width()),
    .queries = packed.data(),
    .users = count,
    .k = k,
    .filter = filter ? &*filter : nullptr,
    .scores = scores.get(),
    .ids = ids.get(),
    .stride = stride(),
    .sizes = sizes.data(),
    .clean = clean.data(),
    .bars = bars,
    .nans = nans.data(),
    .masks = masks.size(),
    .mask_next = next.data(),
    .mask_end = end.data()});
  std::vector<std::uint32_t> ranks;
  std::vector<std::int64_t> again;
  for (std::size_t b = 0; b < count; ++b) {
    if (nans[b] >= 0) return NanScore{positions[b], nans[b]};
    if (guided && sizes[b] < k)
      again.push_back(positions[b]);
    else
      write(positions[b], scores.get() + b * stride(), ids.get() + b * stride(), sizes[b], ranks);
  }
  return again.empty() ? std::nullopt : rank(again, false);
}

}  // namespace

void ItemPanels::Free::operator()(float* memory) const { std::free(memory); }

ItemPanels::ItemPanels(const EmbeddingRows& items)
    : rows_(items), norms_(static_cast<std::size_t>(items.count())) {
  static_assert(kItems == static_cast<std::int64_t>(kPanel));
  constexpr std::size_t kAlignment = 64;
  const std::int64_t width = items.width(), panels = (count() + kItems - 1) / kItems;
  const auto bytes =
      static_cast<std::size_t>(std::max<std::int64_t>(panels * width, 1)) * kPanel * sizeof(float);
  panels_.reset(static_cast<float*>(std::aligned_alloc(kAlignment, bytes)));
  if (!panels_) throw std::bad_alloc();
  parallel_ranges(panels, 16, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t item = begin * kItems; item < end * kItems; ++item) {
      float* target = panels_.get() + item / kItems * kItems * width + item % kItems;
      if (item >= count()) {
        for (std::int64_t k = 0; k < width; ++k) target[k * kItems] = 0;
        continue;
      }
      const float* row = items.row(item);
      float squares = 0;
      for (std::int64_t k = 0; k < items.dim; ++k) {
        target[k * kItems] = row[k];
        squares += row[k] * row[k];
      }
      if (!items.last.empty()) {
        target[items.dim * kItems] = items.last[item];
        squares += items.last[item] * items.last[item];
      }
      norms_[item] = std::sqrt(squares);
    }
  });
  filter_ = make_amx_items(items);
}

std::optional<NanScore> masked_top_k(const EmbeddingRows& queries, const ItemPanels& items,
                                     std::span<const std::int32_t> users, std::span<const MaskRows> masks,
                                     std::int64_t k, std::span<std::int32_t> top_items,
                                     std::span<float> top_scores, std::span<std::int32_t> head_start) {
  const auto width = static_cast<std::size_t>(k);
  const Search search{
      queries, items,     users,      masks,     std::min(width, static_cast<std::size_t>(items.count())),
      width,   top_items, top_scores, head_start};
  const std::size_t most = kCandidateFloats / search.stride() / kGroup * kGroup;
  // With a filter large blocks, but several for every thread.
  const std::size_t share = users.size() / (4 * static_cast<std::size_t>(num_threads()));
  const std::size_t block_users =
      items.filter() ? std::clamp(share / kBlockUsers * kBlockUsers, kBlockUsers, kManyUsers) : kBlockUsers;
  const auto grain = static_cast<std::int64_t>(std::clamp(most, kGroup, block_users));
  const std::int64_t count = std::ssize(users), blocks = (count + grain - 1) / grain;
  std::vector<std::optional<NanScore>> nans(static_cast<std::size_t>(blocks));
  parallel_blocks(blocks, [&](std::int64_t block) {
    std::vector<std::int64_t> positions(static_cast<std::size_t>(std::min(grain, count - block * grain)));
    std::iota(positions.begin(), positions.end(), block * grain);
    nans[block] = search.rank(positions, !head_start.empty());
  });
  const auto first = std::find_if(nans.begin(), nans.end(), [](const auto& nan) { return nan.has_value(); });
  return first == nans.end() ? std::nullopt : *first;
}

void inner_products(const EmbeddingRows& queries, const ItemPanels& items,
                    std::span<const std::int32_t> users, std::span<float> out) {
  std::vector<std::int64_t> positions(users.size());
  std::iota(positions.begin(), positions.end(), 0);
  const std::vector<float> packed = pack_queries(queries, users, positions);
  TopKBlock block{};
  block.panels = items.panels();
  block.items = static_cast<std::size_t>(items.count());
  block.width = static_cast<std::size_t>(queries.width());
  block.queries = packed.data();
  block.users = users.size();
  HWY_DYNAMIC_DISPATCH(score_panels)(block, out.data());
}

}  // namespace hyperllm::kernels
#endif  // HWY_ONCE
