// Tags, edges and summaries of a dataset, asked of a language model (section 4.1 of the paper).
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "hyperllm/base/fields.h"
#include "hyperllm/base/progress.h"
#include "hyperllm/data/tags.h"
#include "hyperllm/llm/options.h"
#include "hyperllm/llm/runner.h"
#include "hyperllm/llm/tag_cleaning.h"

namespace hyperllm::llm {

struct ExtractionOptions {
  ServerOptions server;
  std::string dialect = "auto";
  double temperature = 0;
  std::int64_t max_tokens = 1024;
  std::int64_t llm_seed = 1;
  std::string extra_body;
  std::string language = "English";
  std::filesystem::path item_prompt, user_prompt, repair_prompt;
  std::filesystem::path write_prompts;
  std::int64_t max_item_bytes = 3000;
  std::int64_t max_user_items = 30;
  std::filesystem::path tag_rules;
  double hub_share = 0.5;
  bool drop_hubs = false;
  std::int64_t min_tag_items = 1;
  bool report = false;
  std::filesystem::path export_batch, import_batch;

  FieldList fields() {
    FieldList list = server.fields();
    const FieldList own = {
        {"dialect",
         &dialect,
         "how the JSON schema is sent; auto asks the server which way it enforces",
         {"auto", "openai", "json_object", "vllm", "llama", "ollama", "prompt"},
         Effect::kHow},
        {"temperature", &temperature, "sampling temperature", within(0, 100)},
        {"max_tokens", &max_tokens, "longest answer in tokens", within(16, 1 << 20)},
        {"llm_seed", &llm_seed, "seed that the server is given", within(-9e15, 9e15)},
        {"extra_body", &extra_body, "JSON object merged into each request, such as {\"top_p\": 0.9}"},
        {"language", &language, "language of summaries and tags"},
        {"item_prompt", &item_prompt, "template file instead of the built-in item prompt"},
        {"user_prompt", &user_prompt, "template file instead of the built-in user prompt"},
        {"repair_prompt", &repair_prompt, "template file instead of the built-in repair prompt"},
        {"write_prompts", &write_prompts, "write the built-in templates into this folder, and stop"},
        {"max_item_bytes", &max_item_bytes, "bytes of an item's text that the model is shown at most",
         within(100, 1 << 24)},
        {"max_user_items", &max_user_items,
         "of a user's training items, the model is shown the latest so many", within(1, 100000)},
        {"tag_rules", &tag_rules, "tab-separated file of tags to merge or remove (see `hyperllm tags`)"},
        {"hub_share", &hub_share, "a tag on more than this share of items is reported as a hub", above(0, 1)},
        {"drop_hubs", &drop_hubs, "drop hubs"},
        {"min_tag_items", &min_tag_items, "drop tags of fewer items, 1: keep all", within(1, 1e9)},
        {"report", &report, "only tell what the call store holds: counts, failures and why"},
        {"export_batch", &export_batch,
         "write the open item or user requests as OpenAI batch lines, and stop", Effect::kAction},
        {"import_batch", &import_batch, "read the answers to such a file into the store, then go on",
         Effect::kAction},
    };
    list.insert(list.end(), own.begin(), own.end());
    return list;
  }
};

struct ExtractionResult {
  bool written = false;  // false for a dry run, a report, an export
  std::string text;      // what the user asked to be told
  data::TagGraph tags;
  std::vector<std::string> item_summaries;  // one per item row; "" for items without a text
  std::vector<std::string> user_summaries;
  RunTotals item_calls, user_calls;
  CleaningReport cleaning;
  std::int64_t items_without_text = 0, users_without_text = 0;
  // Dead letters: the item keeps its own title as summary and no tags, the user the most frequent tags of the
  // training items.
  std::int64_t item_failures = 0, user_failures = 0;
};

// Reads the dataset folder; asks what the store does not know. Users are described by their training items
// alone: validation and test rows are dropped before anything else happens. Writes nothing but the store (and
// what write_prompts or export_batch names); the stage writes the result. Throws kInterrupted when a budget
// ends the run before all calls are made; the same command goes on.
ExtractionResult extract(const std::filesystem::path& dataset, const ExtractionOptions& options,
                         const Context& context);

}  // namespace hyperllm::llm
