// What `extract` can be told.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "hyperllm/base/fields.h"
#include "hyperllm/llm/extraction.h"

namespace hyperllm::stages::extract {

struct ExtractOptions {
  std::filesystem::path dataset;
  std::string extractor = "catalog";
  bool keep_tags = false;
  std::string deeper_categories = "fold";
  std::int64_t min_items = 3;
  std::int64_t phrases_per_item = 5;
  std::int64_t max_phrases = 5000;
  double phrase_max_share = 0.1;
  double parent_share = 0.5;
  llm::ExtractionOptions llm;  // extractor llm

  FieldList fields() {
    FieldList list = {
        {"dataset", &dataset, "dataset folder that `prepare` wrote"},
        {"extractor", &extractor, "what makes tags and summaries", {"catalog", "llm"}},
        {"keep_tags", &keep_tags, "keep the folder's tags.tsv even if items have texts"},
        {"deeper_categories",
         &deeper_categories,
         "category nodes below depth 3: fold them into level 3, or cut them off",
         {"fold", "cut"}},
        {"min_items", &min_items, "drop brands, decades and key phrases of fewer items", within(1, 1e9)},
        {"phrases_per_item", &phrases_per_item, "key phrases picked for one item at most, 0: none",
         within(0, 10000)},
        {"max_phrases", &max_phrases, "key phrases in all (those of most items stay), 0: none",
         within(0, 1e9)},
        {"phrase_max_share", &phrase_max_share, "no key phrase occurs in more than this share of items",
         above(0, 1)},
        {"parent_share", &parent_share,
         "a brand or key phrase lies below a tag that at least this share of its items carry", above(0, 1)},
    };
    const FieldList asked = llm.fields();
    list.insert(list.end(), asked.begin(), asked.end());
    return list;
  }
  // True if the call only answers a question: no file of the dataset is written.
  bool only_tells() const {
    return extractor == "llm" && (llm.server.dry_run || llm.report || !llm.write_prompts.empty());
  }
};

}  // namespace hyperllm::stages::extract
