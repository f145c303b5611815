#pragma once

#include <string>
#include <utility>
#include <vector>

#include "hyperllm/data/texts.h"

namespace hyperllm::test {

// An item text whose missing parts are empty, for designated initialisers.
struct ItemParts {
  std::string title = {};
  std::string brand = {};
  std::vector<std::vector<std::string>> categories = {};
  std::vector<std::pair<std::string, std::string>> other = {};
};

inline data::ItemText item_text(ItemParts parts) {
  data::ItemText item;
  item.title = std::move(parts.title);
  item.brand = std::move(parts.brand);
  item.categories = std::move(parts.categories);
  item.other = std::move(parts.other);
  return item;
}

inline std::vector<data::ItemText> item_texts(std::vector<ItemParts> parts) {
  std::vector<data::ItemText> items;
  for (ItemParts& part : parts) items.push_back(item_text(std::move(part)));
  return items;
}

}  // namespace hyperllm::test
