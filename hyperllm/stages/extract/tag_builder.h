// Grows a tag hierarchy whose tags are distinct and whose edges lead from broader to narrower levels.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "hyperllm/data/tags.h"

namespace hyperllm::stages::extract {

// Tags are one if their text::normal_form is one, whatever their level. Levels are fixed before edges and
// items: first every declare(), then the rest. An edge between tags of one level, or upwards, is refused, so
// that there can be no cycle.
class TagBuilder {
 public:
  static constexpr std::int32_t kNone = -1;

  explicit TagBuilder(std::int64_t items) : item_tags_(static_cast<std::size_t>(items)) {}

  // The tag with this text, made if it is new; its level becomes the broader of the two. kNone if the text
  // has no word. The first spelling seen stays.
  std::int32_t declare(std::string_view text, int level);
  // The tag with this text, or kNone.
  std::int32_t find(std::string_view text) const;

  void attach(std::int32_t tag, std::int32_t item);
  // Returns false, changing nothing, unless `parent` is of a broader level.
  bool connect(std::int32_t parent, std::int32_t child);
  // Connects `child` to each tag of level 2 that at least `share` of its items carry; if there is none, to
  // each such tag of level 1. Tags and items must be complete up to the level of `child`.
  void connect_by_share(std::int32_t child, double share);

  int level(std::int32_t tag) const { return tags_[tag].tag.level; }
  const std::string& text(std::int32_t tag) const { return tags_[tag].tag.text; }
  // Tags of one item, in order of attachment.
  const std::vector<std::int32_t>& tags_of(std::int32_t item) const { return item_tags_[item]; }

  // The graph, tags by level, then most items, then text; edges and pairs ascending. Tags of no item are
  // left out.
  data::TagGraph finish() const;

 private:
  struct Entry {
    data::Tag tag;
    std::vector<std::int32_t> items;
  };
  std::vector<Entry> tags_;
  std::unordered_map<std::string, std::int32_t> by_form_;
  std::vector<std::vector<std::int32_t>> item_tags_;
  std::vector<std::pair<std::int32_t, std::int32_t>> edges_;
};

}  // namespace hyperllm::stages::extract
