// `hyperllm extract`: tags, parent-child edges and summaries of a dataset (section 4.1 of the paper).
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "hyperllm/base/progress.h"
#include "hyperllm/stages/extract/options.h"

namespace hyperllm::stages::extract {

struct ExtractResult {
  std::int64_t tags = 0;
  std::int64_t edges = 0;
  std::int64_t tag_items = 0;
  bool kept_tags = false;               // the folder's own tags were kept
  std::int64_t items_without_text = 0;  // their summary is empty
  std::int64_t users_without_text = 0;
  bool written =
      true;          // false if the call only told something (extractor llm: dry run, report, batch export)
  std::string text;  // what the user asked to be told
};

// Reads the dataset folder, writes tags.tsv, tag_edges.tsv, tag_items.tsv, item_summaries.jsonl and
// user_summaries.jsonl into it, each atomically. If no item has a text but the folder has tags, the tags stay
// as they are and summaries are made of tag texts. Extractor llm asks a language model (llm/extraction.h) and
// writes the same files. Warns of items without text. Throws kIo, kInvalidArgument,
// kInvalidData (among others: neither texts nor tags), kInterrupted.
ExtractResult run(const ExtractOptions& options, const Context& context);

}  // namespace hyperllm::stages::extract
