#include "hyperllm/stages/extract/llm_extractor.h"

#include "hyperllm/data/dataset.h"
#include "hyperllm/data/texts.h"

namespace hyperllm::stages::extract {
namespace {

std::string percent(std::int64_t part, std::int64_t whole) {
  return whole == 0 ? "-" : std::to_string(100 * part / whole) + " %";
}

void tell_calls(const char* what, const llm::RunTotals& totals, const Context& context) {
  const std::int64_t calls = totals.known + totals.done + totals.dead;
  context.info(std::string(what) + ": " + std::to_string(calls) + " calls, " + std::to_string(totals.known) +
               " known before, " + std::to_string(totals.done) + " answered (" +
               percent(totals.done, totals.done + totals.dead) + " of those asked), " +
               std::to_string(totals.dead) + " dead letters, " +
               std::to_string(totals.prompt_tokens + totals.completion_tokens) + " tokens");
}

}  // namespace

ExtractResult run_llm(const ExtractOptions& options, const Context& context) {
  llm::ExtractionResult extraction = llm::extract(options.dataset, options.llm, context);
  ExtractResult result;
  result.written = extraction.written;
  result.text = std::move(extraction.text);
  if (!result.written) return result;
  const std::filesystem::path& folder = options.dataset;
  const data::Dataset dataset = data::load_dataset(folder);
  FileSet files(folder);
  data::add_summaries("item_summaries.jsonl", dataset.items, extraction.item_summaries, files);
  data::add_summaries("user_summaries.jsonl", dataset.users, extraction.user_summaries, files);
  data::add_tags(extraction.tags, dataset.items, files);
  files.commit();
  result.tags = static_cast<std::int64_t>(extraction.tags.tags.size());
  result.edges = static_cast<std::int64_t>(extraction.tags.edges.size());
  result.tag_items = static_cast<std::int64_t>(extraction.tags.tag_items.size());
  result.items_without_text = extraction.items_without_text;
  result.users_without_text = extraction.users_without_text;
  tell_calls("items", extraction.item_calls, context);
  tell_calls("users", extraction.user_calls, context);
  context.info(std::to_string(result.tags) + " tags, " + std::to_string(result.edges) +
               " edges between them, " + std::to_string(result.tag_items) + " to items\n" +
               extraction.cleaning.text());
  return result;
}

}  // namespace hyperllm::stages::extract
