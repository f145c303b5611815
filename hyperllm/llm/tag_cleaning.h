// From many small hierarchies, one an item, to one good hierarchy; and what is wrong with a hierarchy.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "hyperllm/data/tags.h"
#include "hyperllm/llm/replies.h"
#include "hyperllm/llm/tag_text.h"

namespace hyperllm::llm {

// Gathers the replies of all items. Tags of one form are one tag: it has the spelling and the level that most
// items gave it (ties: the broader level, the first spelling by bytes); an edge has the direction that most
// items gave it.
class TagCollector {
 public:
  void add(std::int32_t item, const ItemReply& reply);
  // The graph before cleaning: its edges may still run against levels or in circles. Tags by level, then most
  // items, then text; edges and pairs ascending.
  data::TagGraph graph() const;

 private:
  struct Entry {
    std::map<std::string, std::int64_t> spellings;
    std::array<std::int64_t, kLevels> levels{};
    std::int64_t items = 0;
  };
  std::map<std::string, std::int32_t> ids_;  // form -> entry
  std::vector<Entry> entries_;
  std::map<std::pair<std::int32_t, std::int32_t>, std::int64_t> edges_;
  std::vector<std::pair<std::int32_t, std::int32_t>> tag_items_;
};

struct CleaningOptions {
  std::vector<TagRule> rules;
  double hub_share = 0.5;  // a tag on more than this share of items is a hub
  bool drop_hubs = false;
  std::int64_t min_items = 1;  // drop tags of fewer items
};

struct CleaningReport {
  std::int64_t merged = 0;          // tags that became another, by form or by rule
  std::int64_t removed = 0;         // by rule
  std::int64_t against_level = 0;   // edges from a narrower to a broader tag, dropped
  std::vector<std::string> cycles;  // edges dropped to break a circle, "a -> b", with the circle
  std::vector<std::pair<std::string, std::int64_t>> hubs;  // tag, items
  std::int64_t single_use = 0;
  std::int64_t dropped_hubs = 0, dropped_rare = 0;
  std::string text() const;  // for people
};

// Merges by form and by rules, drops edges against the levels, breaks circles (the edge that the fewest items
// carry at both ends goes, ties by number), drops what the options say, keeps the order of tags.
std::pair<data::TagGraph, CleaningReport> clean_tags(const data::TagGraph& graph, std::int64_t items,
                                                     const CleaningOptions& options);

// Pairs that may be one tag, as rules to review, from the rarer to the more frequent tag, most alike first:
// spelling_similarity of at least `spelling`, or, if there are vectors (one row a tag, `dims` wide), their
// cosine of at least `cosine`. Tags that differ in a number are never proposed.
std::vector<TagRule> propose_merges(const data::TagGraph& graph, double spelling,
                                    std::span<const float> vectors, std::int64_t dims, double cosine);

// The hierarchy as an indented tree: "Beauty (6038)", children by number of items. A tag with several parents
// stands under each, its own children only the first time. `most_children` a node (0: all), `depth` levels.
std::string tag_tree(const data::TagGraph& graph, std::int64_t most_children, std::int64_t depth);

}  // namespace hyperllm::llm
