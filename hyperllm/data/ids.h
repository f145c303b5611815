// External ids numbered in order of first appearance.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

namespace hyperllm::data {

class IdTable {
 public:
  // The number of `id`, a new one (== the former size()) if it was not there. Throws kInvalidData beyond
  // 2147483647 ids.
  std::int32_t add(std::string_view id);
  // The number of `id`, -1 if it is not there.
  std::int32_t find(std::string_view id) const;
  std::int32_t size() const { return static_cast<std::int32_t>(ids_.size()); }
  const std::string& operator[](std::int32_t number) const { return ids_[number]; }
  // All ids in order; empties the table.
  std::vector<std::string> take() &&;

 private:
  struct Slot {
    std::uint32_t hash = 0;
    std::int32_t number = -1;  // -1: free
  };
  // The slot that holds `id`, or the free one where it belongs.
  std::size_t slot_of(std::string_view id, std::uint32_t hash) const;
  void grow();
  std::deque<std::string> ids_;
  std::vector<Slot> slots_;  // open addressing; a power of two, at most half full
};

}  // namespace hyperllm::data
