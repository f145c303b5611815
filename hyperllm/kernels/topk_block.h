// What the vector code of topk.cpp works on: a block of users, seen through plain pointers.
#pragma once

#include <cstddef>
#include <cstdint>

namespace hyperllm::kernels {
class AmxUsers;
}

namespace hyperllm::kernels::detail {

constexpr std::size_t kPanel = 32;       // items, as in ItemPanels
constexpr std::size_t kGroup = 12;       // users whose coordinates lie side by side
constexpr std::size_t kBlockUsers = 96;  // their coordinates and one panel stay in L1 at width 50
constexpr std::size_t kManyUsers = 384;  // of a block with a filter, whose catalogue comes from further away

struct TopKBlock {
  const float* panels;  // [panel][width][kPanel]
  std::size_t items, width;
  const float* queries;  // [group][width][kGroup], the last group filled with zeros
  std::size_t users, k;
  AmxUsers* filter;  // may be null; of the same users

  // Candidates: `stride` places a user, ascending ids; a list is cut back to k when a panel's hits might not
  // fit.
  float* scores;
  std::int32_t* ids;
  std::size_t stride;
  std::uint32_t* sizes;
  std::uint32_t* clean;  // candidates already looked up in the masks
  float* bars;           // of kManyUsers users: only what is not <= bar can be among the k best
  std::int32_t* nans;    // first item with a NaN score, -1 without

  // Per user and mask: what is left of the mask's row, ahead of the candidates looked up so far.
  std::size_t masks;
  const std::int32_t** mask_next;
  const std::int32_t** mask_end;
};

}  // namespace hyperllm::kernels::detail
