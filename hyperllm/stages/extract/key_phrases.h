// The words and word pairs that say best what an item is and that it shares with others.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "hyperllm/data/texts.h"

namespace hyperllm::stages::extract {

struct PhraseLimits {
  std::int64_t min_items = 3;  // every phrase is picked for at least so many items
  std::int64_t per_item = 5;
  std::int64_t in_all = 5000;  // the phrases of most items stay (ties: first by bytes)
  double max_share = 0.1;      // a phrase occurs in at most this share of all items
};

struct KeyPhrases {
  std::vector<std::string> phrases;                // ascending by bytes
  std::vector<std::vector<std::int32_t>> of_item;  // phrases of each item, best first
};

// Ranks the terms of each item's title (counted twice) and description by TF-IDF. A term that is only
// numbers, shorter than three bytes, part of a better phrase of the item, or `taken` is passed over.
KeyPhrases pick_key_phrases(const std::vector<data::ItemText>& items, const PhraseLimits& limits,
                            const std::function<bool(std::string_view)>& taken);

}  // namespace hyperllm::stages::extract
