// A filter ahead of masked_top_k's exact scores, on x86's tile registers (AMX). Internal to kernels/.
//
// It finds the largest scores of 16 items each from values rounded to bfloat16, at a small part of the cost
// of exact ones. By Cauchy and Schwarz |x.y - x'.y'| <= |x - x'| |y| + |x'| |y - y'| for rounded x' and y',
// and these norms are known; the column that is kept apart, often the largest, counts with three products of
// parts. So what beats a bar, beats it here less the bound; and where so many sixteens have scores above a
// value, so many items have, less the bound.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "hyperllm/base/scratch.h"
#include "hyperllm/kernels/topk.h"
#include "hyperllm/kernels/topk_block.h"

namespace hyperllm::kernels {

// What the bound needs of a row, or the largest of it of a panel's rows; NaN for a row that has none: one
// that is not finite, or extreme.
struct RowBound {
  float norm = 0;  // of the values, rounded or not, whichever is larger
  float lost = 0;  // of what rounding took from them
  float last = 0;  // size of the column kept apart
};

// A catalogue's operands.
class AmxItems {
 public:
  // Only where make_amx_items would not return null.
  explicit AmxItems(const EmbeddingRows& items);

 private:
  friend class AmxUsers;
  std::int64_t count_, depth_;  // items; blocks of 32 coordinates
  Scratch packed_;              // of every panel: per 16 items a left operand
  std::vector<RowBound> bounds_;
};
// Null where the processor, the system or Highway's targets do not allow it.
std::shared_ptr<const AmxItems> make_amx_items(const EmbeddingRows& items);

// A block of users, at most detail::kManyUsers, against the catalogue. The thread that makes it holds the
// tile registers until it is gone.
class AmxUsers {
 public:
  static constexpr std::size_t kSegment = 256;  // panels, whose largest scores stay in the second cache
  static constexpr std::size_t kWords = detail::kManyUsers / 64;

  AmxUsers(const AmxItems& items, const EmbeddingRows& queries, std::span<const std::int32_t> users);
  ~AmxUsers();
  AmxUsers(const AmxUsers&) = delete;
  AmxUsers& operator=(const AmxUsers&) = delete;

  // Looks at the panels [begin, end), at most kSegment, of which the functions below then speak.
  void score(std::size_t begin, std::size_t end);

  // Writes block.bars: for every user a value that the scores of at least block.k items exceed that no mask
  // holds, or NaN. Reads users, masks, mask_next and mask_end of the same users.
  void find_bars(const detail::TopKBlock& block);

  // Bits of words[half]: users for which the score of one of these 16 items of a panel may exceed their bar,
  // or be NaN. bars: of detail::kManyUsers users; NaN: all pass; infinity: none does.
  void passing(std::size_t panel, const float* bars, std::uint64_t (&words)[2][kWords]) const;

 private:
  struct Bounds {  // of the users, times what the bound has them times
    alignas(64) float norm[detail::kManyUsers], lost[detail::kManyUsers], last[detail::kManyUsers];
  };
  void pack(const EmbeddingRows& queries, std::span<const std::int32_t> users);
  void bisect(std::int32_t k, float* bars) const;

  const AmxItems& items_;
  std::size_t groups_;  // pairs of 16 users
  std::size_t begin_ = 0, end_ = 0;
  Scratch packed_;   // right operands: coordinates in pairs, of 16 users
  Scratch largest_;  // [16 users after 16][panel - begin][half][user]
  Bounds bounds_{};
};

}  // namespace hyperllm::kernels
