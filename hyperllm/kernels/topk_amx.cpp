#include "hyperllm/kernels/topk_amx.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "hyperllm/base/parallel.h"
#include "hyperllm/kernels/bfloat16_x86.h"
#include "hyperllm/kernels/panels_amx.h"

#if defined(__x86_64__) && defined(__linux__) && defined(__GNUC__)
#include "hyperllm/kernels/amx_parts-inl.h"

namespace hyperllm::kernels {
namespace {

constexpr std::int64_t kItems = ItemPanels::kItems, kHalves = kItems / kLine;
constexpr std::int64_t kGroup = 2 * kLine;  // users
constexpr std::int64_t kNear = 3;           // groups whose operands stay in the first cache
constexpr std::int64_t kColumn = AmxUsers::kSegment * kHalves * kLine;  // of `largest`, for 16 users
// Of a group: [half][16 users after 16][item], what the tiles 0 to 3 hold.
constexpr std::int64_t kScores = 2 * kHalves * kBlockFloats;
constexpr float kFloat = std::numeric_limits<float>::epsilon();
constexpr float kTiny = 1e-30f;  // more than what products of next to nothing lose
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

// The column apart comes last in both sums, so that few roundings are of its size: in a block of operands
// even and odd places add up apart. The products of parts that are left out are smaller.
constexpr float kLastRounding = 16 * kFloat;
// The parts of its six products: {of the user, of the item}.
constexpr int kLastParts[6][2] = {{0, 0}, {0, 1}, {1, 0}, {1, 1}, {0, 2}, {2, 0}};

// Places of a row in an operand: the values and, of the column kept apart, parts.
std::int64_t places(const EmbeddingRows& rows) {
  return rows.dim + (rows.last.empty() ? 0 : static_cast<std::int64_t>(std::size(kLastParts)));
}

// Writes one row's places, rounded, and zeros up to whole blocks.
HYPERLLM_AMX RowBound place_row(const EmbeddingRows& rows, std::int64_t index, bool item, float* out) {
  std::fill(out, out + blocks(places(rows)) * kBlock, 0.0f);
  const float* row = rows.row(index);
  double norm = 0, rounded_norm = 0, lost = 0;
  for (std::int64_t k = 0; k < rows.dim; ++k) {
    const float near = nearest(row[k]);
    out[k] = std::abs(near) < std::numeric_limits<float>::min() ? 0 : near;  // the unit takes them for zero
    const double value = row[k], rounded = out[k];
    norm += value * value;
    rounded_norm += rounded * rounded;
    lost += (value - rounded) * (value - rounded);
  }
  const float last = rows.last.empty() ? 0 : rows.last[index];
  if (!rows.last.empty()) {
    alignas(64) float parts[kParts][kLine];
    split(_mm512_set1_ps(last), kParts, kLine, parts[0]);
    for (const auto& of : kLastParts) out[rows.dim + (&of - kLastParts)] = parts[of[item ? 1 : 0]][0];
  }
  const auto up = [](double x) { return static_cast<float>(x * (1 + 1e-5)); };
  const double larger_norm = std::sqrt(std::max(norm, rounded_norm));
  // Sums of products must not overflow, nor parts become so small that the unit takes them for zero.
  if (!(larger_norm < 1e18 && std::abs(last) < 1e18f) || (last != 0 && std::abs(last) < 1e-25f))
    return {kNan, kNan, kNan};
  return {up(larger_norm), up(std::sqrt(lost)), std::abs(last)};
}

HYPERLLM_AMX void store_row(const float* row, std::int64_t depth, std::int64_t index, float* operand) {
  for (std::int64_t b = 0; b < depth; ++b)
    store_row_parts(_mm512_load_ps(row + b * kBlock), _mm512_load_ps(row + b * kBlock + kLine), 1, 0,
                    operand + (index / kLine * depth + b) * kBlockFloats + index % kLine * kLine);
}

void widen(RowBound& most, const RowBound& row) {
  const auto wider = [](float a, float b) { return a > b || std::isnan(a) ? a : b; };
  most = {wider(most.norm, row.norm), wider(most.lost, row.lost), wider(most.last, row.last)};
}

HYPERLLM_AMX RowBound pack_panel(const EmbeddingRows& items, std::int64_t panel, std::int64_t depth,
                                 float* operands) {
  const Scratch row(depth * kBlock);
  RowBound most;
  std::fill(operands, operands + kHalves * depth * kBlockFloats, 0.0f);
  for (std::int64_t i = 0; i < std::min(kItems, items.count() - panel * kItems); ++i) {
    widen(most, place_row(items, panel * kItems + i, true, row.data()));
    store_row(row.data(), depth, i, operands);
  }
  return most;
}

HYPERLLM_AMX inline void multiply_tiles(const float* left, const float* right, std::int64_t depth,
                                        float* scores) {
  const std::int64_t next = depth * kBlockFloats;
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  for (std::int64_t b = 0; b < depth; ++b, left += kBlockFloats, right += kBlockFloats) {
    _tile_loadd(4, left, 64);
    _tile_loadd(6, right, 64);
    _tile_loadd(7, right + next, 64);
    _tile_loadd(5, left + next, 64);
    _tile_dpbf16ps(0, 4, 6);
    _tile_dpbf16ps(1, 4, 7);
    _tile_dpbf16ps(2, 5, 6);
    _tile_dpbf16ps(3, 5, 7);
  }
  _tile_stored(0, scores, 64);
  _tile_stored(1, scores + kBlockFloats, 64);
  _tile_stored(2, scores + 2 * kBlockFloats, 64);
  _tile_stored(3, scores + 3 * kBlockFloats, 64);
}

HYPERLLM_AMX inline __m512 larger(__m512 a, __m512 b) { return _mm512_maskz_max_ps(0xFFFF, a, b); }

// A NaN among the scores may be lost: then the bound is NaN, and everything passes.
HYPERLLM_AMX inline void store_largest(const float* scores, float* largest) {
  for (std::int64_t half = 0; half < kHalves; ++half)
    for (std::int64_t users = 0; users < kGroup; users += kLine, scores += kBlockFloats) {
      __m512 first = _mm512_load_ps(scores), second = _mm512_load_ps(scores + kLine);
#pragma GCC unroll 8
      for (std::int64_t item = 2; item < kLine; item += 2) {
        first = larger(first, _mm512_load_ps(scores + item * kLine));
        second = larger(second, _mm512_load_ps(scores + (item + 1) * kLine));
      }
      _mm512_store_ps(largest + users / kLine * kColumn + half * kLine, larger(first, second));
    }
}

// What the rounded scores of 16 users may lack.
template <class Bounds>
HYPERLLM_AMX inline __m512 bound_of(const Bounds& of, std::int64_t user, const RowBound& most) {
  __m512 bound =
      _mm512_fmadd_ps(_mm512_load_ps(of.lost + user), _mm512_set1_ps(most.norm), _mm512_set1_ps(kTiny));
  bound = _mm512_fmadd_ps(_mm512_load_ps(of.norm + user), _mm512_set1_ps(most.lost), bound);
  return _mm512_fmadd_ps(_mm512_load_ps(of.last + user), _mm512_set1_ps(most.last), bound);
}
HYPERLLM_AMX inline __m512 lowered(__m512 value, __m512 bound) {
  const __m512 rounding = _mm512_set1_ps(4 * kFloat);  // of this difference
  return _mm512_sub_ps(value, _mm512_fmadd_ps(_mm512_abs_ps(value), rounding, bound));
}

}  // namespace

AmxItems::AmxItems(const EmbeddingRows& items)
    : count_(items.count()),
      depth_(blocks(places(items))),
      packed_((count_ + kItems - 1) / kItems * kHalves * depth_ * kBlockFloats),
      bounds_((count_ + kItems - 1) / kItems) {
  parallel_ranges(std::ssize(bounds_), 16, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t panel = begin; panel < end; ++panel)
      bounds_[panel] =
          pack_panel(items, panel, depth_, packed_.data() + panel * kHalves * depth_ * kBlockFloats);
  });
}

std::shared_ptr<const AmxItems> make_amx_items(const EmbeddingRows& items) {
  return has_amx_parts() ? std::make_shared<const AmxItems>(items) : nullptr;
}

AmxUsers::AmxUsers(const AmxItems& items, const EmbeddingRows& queries, std::span<const std::int32_t> users)
    : items_(items),
      groups_((users.size() + kGroup - 1) / kGroup),
      packed_(groups_ * 2 * items.depth_ * kBlockFloats),
      largest_(groups_ * 2 * kColumn) {
  pack(queries, users);
  x86_configure_tiles();
}

AmxUsers::~AmxUsers() { x86_release_tiles(); }

HYPERLLM_AMX void AmxUsers::pack(const EmbeddingRows& queries, std::span<const std::int32_t> users) {
  const std::int64_t depth = items_.depth_, size = depth * kBlockFloats, count = std::ssize(users);
  const Scratch row(depth * kBlock), turned(2 * size);
  // Both sums round at every term.
  const float rounding = static_cast<float>(2 * depth * kBlock + 16) * kFloat;
  for (std::int64_t g = 0; g < static_cast<std::int64_t>(groups_); ++g) {
    std::fill(turned.data(), turned.data() + 2 * size, 0.0f);
    for (std::int64_t u = g * kGroup; u < std::min((g + 1) * kGroup, count); ++u) {
      const RowBound bound = place_row(queries, users[u], false, row.data());
      bounds_.norm[u] = bound.norm;
      bounds_.lost[u] = bound.lost + rounding * bound.norm;
      bounds_.last[u] = kLastRounding * bound.last;
      store_row(row.data(), depth, u % kGroup, turned.data());
    }
    for (std::int64_t b = 0; b < 2 * depth; ++b)
      transpose_block(turned.data() + b * kBlockFloats, packed_.data() + (2 * g * depth + b) * kBlockFloats);
  }
}

HYPERLLM_AMX void AmxUsers::score(std::size_t begin, std::size_t end) {
  begin_ = begin;
  end_ = end;
  // The vector units look at one group while the tile unit works on the next.
  alignas(64) float scores[2][kScores];
  const std::int64_t operand = kHalves * items_.depth_ * kBlockFloats;
  const auto groups = static_cast<std::int64_t>(groups_), panels = static_cast<std::int64_t>(end - begin);
  float* before = nullptr;
  int turn = 0;
  for (std::int64_t near = 0; near < groups; near += kNear)
    for (std::int64_t panel = 0; panel < panels; ++panel)
      for (std::int64_t g = near; g < std::min(near + kNear, groups); ++g) {
        multiply_tiles(items_.packed_.data() + (static_cast<std::int64_t>(begin) + panel) * operand,
                       packed_.data() + g * operand, items_.depth_, scores[turn]);
        turn = 1 - turn;
        if (before) store_largest(scores[turn], before);
        before = largest_.data() + 2 * g * kColumn + panel * kHalves * kLine;
      }
  if (before) store_largest(scores[1 - turn], before);
}

void AmxUsers::find_bars(const detail::TopKBlock& block) {
  // Sixteens with a masked item count for nothing while bars are looked for.
  std::vector<std::pair<float*, float>> hidden;
  const auto first = static_cast<std::int64_t>(begin_) * kItems,
             last = static_cast<std::int64_t>(end_) * kItems;
  for (std::size_t user = 0; user < block.users; ++user) {
    float* of_user = largest_.data() + static_cast<std::int64_t>(user) / kLine * kColumn + user % kLine;
    for (std::size_t m = user * block.masks; m < (user + 1) * block.masks; ++m)
      for (const std::int32_t* item = block.mask_next[m]; item < block.mask_end[m] && *item < last; ++item) {
        if (*item < first) continue;
        float* score = of_user + (*item - first) / kLine * kLine;
        hidden.emplace_back(score, *score);
        *score = -kInfinity;
      }
  }
  bisect(static_cast<std::int32_t>(block.k), block.bars);
  for (auto at = hidden.rbegin(); at != hidden.rend(); ++at) *at->first = at->second;
}

HYPERLLM_AMX void AmxUsers::bisect(std::int32_t k, float* bars) const {
  constexpr int kBisections = 10;
  const std::int64_t whole =
      std::min<std::int64_t>(static_cast<std::int64_t>(end_) * kHalves, items_.count_ / kLine) -
      static_cast<std::int64_t>(begin_) * kHalves;
  RowBound most;
  for (std::size_t panel = begin_; panel < end_; ++panel) widen(most, items_.bounds_[panel]);
  const __m512i needed = _mm512_set1_epi32(k), one = _mm512_set1_epi32(1);
  for (std::int64_t user = 0; user < static_cast<std::int64_t>(groups_) * kGroup; user += kLine) {
    const float* from = largest_.data() + user / kLine * kColumn;
    __m512 reached = _mm512_set1_ps(kInfinity), missed = _mm512_set1_ps(-kInfinity);
    __m512i count = _mm512_setzero_si512();
    for (std::int64_t half = 0; half < whole; ++half) {
      const __m512 value = _mm512_load_ps(from + half * kLine);
      const __mmask16 counts = _mm512_cmp_ps_mask(value, _mm512_set1_ps(-kInfinity), _CMP_NEQ_UQ);
      count = _mm512_mask_add_epi32(count, counts, count, one);
      reached = _mm512_mask_min_ps(reached, counts, reached, value);
      missed = larger(missed, value);
    }
    const __mmask16 there = _mm512_cmpge_epi32_mask(count, needed);
    for (int step = 0; step < kBisections; ++step) {
      const __m512 middle = _mm512_mul_ps(_mm512_add_ps(reached, missed), _mm512_set1_ps(0.5f));
      count = _mm512_setzero_si512();
      for (std::int64_t half = 0; half < whole; ++half) {
        const __mmask16 above = _mm512_cmp_ps_mask(_mm512_load_ps(from + half * kLine), middle, _CMP_GE_OQ);
        count = _mm512_mask_add_epi32(count, above, count, one);
      }
      const __mmask16 enough = _mm512_cmpge_epi32_mask(count, needed);
      reached = _mm512_mask_mov_ps(reached, enough, middle);
      missed = _mm512_mask_mov_ps(middle, enough, missed);
    }
    const __m512 bar = lowered(reached, bound_of(bounds_, user, most));
    _mm512_store_ps(bars + user, _mm512_mask_mov_ps(_mm512_set1_ps(kNan), there, bar));
  }
}

HYPERLLM_AMX void AmxUsers::passing(std::size_t panel, const float* bars,
                                    std::uint64_t (&words)[2][kWords]) const {
  const RowBound& most = items_.bounds_[panel];
  const float* largest = largest_.data() + static_cast<std::int64_t>(panel - begin_) * kHalves * kLine;
  std::fill(words[0], words[0] + 2 * kWords, 0);
  for (std::int64_t user = 0; user < static_cast<std::int64_t>(groups_) * kGroup; user += kLine) {
    const __m512 bar = _mm512_load_ps(bars + user), bar_here = lowered(bar, bound_of(bounds_, user, most));
    const auto open = static_cast<__mmask16>(~_mm512_cmp_ps_mask(bar, _mm512_set1_ps(kInfinity), _CMP_EQ_OQ));
    for (std::int64_t half = 0; half < kHalves; ++half) {
      const __mmask16 passes = _mm512_mask_cmp_ps_mask(
          open, _mm512_load_ps(largest + user / kLine * kColumn + half * kLine), bar_here, _CMP_NLE_UQ);
      words[half][user / 64] |= static_cast<std::uint64_t>(passes) << user % 64;
    }
  }
}

}  // namespace hyperllm::kernels

#else

namespace hyperllm::kernels {

AmxItems::AmxItems(const EmbeddingRows&) : count_(0), depth_(0), packed_(0) {}
std::shared_ptr<const AmxItems> make_amx_items(const EmbeddingRows&) { return nullptr; }
AmxUsers::AmxUsers(const AmxItems& items, const EmbeddingRows&, std::span<const std::int32_t>)
    : items_(items), groups_(0), packed_(0), largest_(0) {}
AmxUsers::~AmxUsers() = default;
void AmxUsers::score(std::size_t, std::size_t) {}
void AmxUsers::find_bars(const detail::TopKBlock&) {}
void AmxUsers::passing(std::size_t, const float*, std::uint64_t (&)[2][kWords]) const {}

}  // namespace hyperllm::kernels

#endif
