// The tag hierarchy: tags with levels, parent-child edges, and which tag describes which item (section 4.1 of
// the paper).
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "hyperllm/base/file_set.h"

namespace hyperllm::data {

struct Tag {
  std::string text;
  int level = 0;  // 1 broadest to 3 most specific; 0: unknown (the released HyperLLM folders do not say)
};

struct TagGraph {
  std::vector<Tag> tags;                                         // index = tag id
  std::vector<std::pair<std::int32_t, std::int32_t>> edges;      // (parent, child); each undirected pair once
  std::vector<std::pair<std::int32_t, std::int32_t>> tag_items;  // (tag, item row)
};

// Reads tags.tsv (`tag_id	text	level`), tag_edges.tsv (`parent	child`), tag_items.tsv (`tag item`;
// items by external id, `items` gives their order). Throws kIo, kInvalidData (file, line, field, remedy):
// unknown tag or item, an edge from a tag to itself, a duplicate.
TagGraph load_tags(const std::filesystem::path& folder, const std::vector<std::string>& items);

// True if the folder has tags.tsv.
bool has_tags(const std::filesystem::path& folder);

// The three files, as part of a set or as a set of their own. Throw kIo, kInvalidArgument (a text that would
// break the file).
void add_tags(const TagGraph& graph, const std::vector<std::string>& items, FileSet& files);
void save_tags(const TagGraph& graph, const std::filesystem::path& folder,
               const std::vector<std::string>& items);

}  // namespace hyperllm::data
