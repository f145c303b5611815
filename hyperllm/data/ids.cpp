#include "hyperllm/data/ids.h"

#include <algorithm>
#include <functional>
#include <iterator>
#include <limits>
#include <utility>

#include "hyperllm/base/error.h"

namespace hyperllm::data {

namespace {

std::uint32_t hash_of(std::string_view id) {
  const std::uint64_t hash = std::hash<std::string_view>()(id);
  return static_cast<std::uint32_t>(hash ^ hash >> 32);
}

}  // namespace

std::size_t IdTable::slot_of(std::string_view id, std::uint32_t hash) const {
  const std::size_t mask = slots_.size() - 1;
  std::size_t at = hash & mask;
  while (slots_[at].number >= 0 && (slots_[at].hash != hash || ids_[slots_[at].number] != id))
    at = (at + 1) & mask;
  return at;
}

void IdTable::grow() {
  constexpr std::size_t kSmallest = 64;
  const std::vector<Slot> old =
      std::exchange(slots_, std::vector<Slot>(std::max(kSmallest, 2 * slots_.size())));
  const std::size_t mask = slots_.size() - 1;
  for (const Slot& slot : old) {
    if (slot.number < 0) continue;
    std::size_t at = slot.hash & mask;
    while (slots_[at].number >= 0) at = (at + 1) & mask;
    slots_[at] = slot;
  }
}

std::int32_t IdTable::add(std::string_view id) {
  if (2 * (ids_.size() + 1) > slots_.size()) grow();
  const std::uint32_t hash = hash_of(id);
  const std::size_t at = slot_of(id, hash);
  if (slots_[at].number >= 0) return slots_[at].number;
  HYPERLLM_CHECK(ids_.size() < std::numeric_limits<std::int32_t>::max(), ErrorCode::kInvalidData,
                 "more than 2147483647 different ids.");
  const std::int32_t number = size();
  ids_.emplace_back(id);
  slots_[at] = {hash, number};
  return number;
}

std::int32_t IdTable::find(std::string_view id) const {
  return slots_.empty() ? -1 : slots_[slot_of(id, hash_of(id))].number;
}

std::vector<std::string> IdTable::take() && {
  slots_.clear();
  std::vector<std::string> ids(std::make_move_iterator(ids_.begin()), std::make_move_iterator(ids_.end()));
  ids_.clear();
  return ids;
}

}  // namespace hyperllm::data
