// `hyperllm tags`: looks at a tag hierarchy, tells what is wrong with it, and cleans it.
#pragma once

#include <cstdint>
#include <string>

#include "hyperllm/base/progress.h"
#include "hyperllm/stages/tags/options.h"

namespace hyperllm::stages::tags {

struct TagsResult {
  std::string text;  // what was found, then the hierarchy as a tree with counts
  std::int64_t tags = 0, edges = 0;
  std::int64_t proposed = 0;
};

// Cleans the folder's tags as llm::clean_tags does (merges by form and by rules, no circles) and shows the
// outcome; with `write` it takes the place of the old tags, all three files together. Throws kIo,
// kInvalidData, kInvalidArgument.
TagsResult run(const TagsOptions& options, const Context& context);

}  // namespace hyperllm::stages::tags
