#include "hyperllm/stages/extract/run.h"

#include <algorithm>

#include "hyperllm/base/error.h"
#include "hyperllm/data/dataset.h"
#include "hyperllm/stages/extract/catalog.h"
#include "hyperllm/stages/extract/extraction.h"
#include "hyperllm/stages/extract/llm_extractor.h"
#include "hyperllm/stages/extract/summaries.h"

namespace hyperllm::stages::extract {
namespace {

void check(ExtractOptions options) {
  check_fields(options.fields());
  HYPERLLM_CHECK(!options.dataset.empty(), ErrorCode::kInvalidArgument,
                 "option 'dataset': give the folder that `prepare` wrote");
}

bool has_text(const data::ItemText& item) {
  return !item.title.empty() || !item.brand.empty() || !item.categories.empty() ||
         !item.description.empty() || !item.other.empty();
}

std::vector<data::ItemText> load_texts(const std::filesystem::path& folder,
                                       const std::vector<std::string>& items) {
  if (std::filesystem::exists(folder / "items.jsonl")) return data::load_item_texts(folder, items);
  std::vector<data::ItemText> texts(items.size());
  for (std::size_t i = 0; i < items.size(); ++i) texts[i].id = items[i];
  return texts;
}

Extraction keep_tags(const Catalogue& catalogue, data::TagGraph tags) {
  Extraction out;
  out.tags = std::move(tags);
  out.item_summaries = summarise_items(catalogue.items, out.tags);
  out.user_summaries = summarise_users(catalogue.train, out.item_summaries);
  return out;
}

std::int64_t count_empty(const std::vector<std::string>& texts) {
  return std::count_if(texts.begin(), texts.end(), [](const std::string& text) { return text.empty(); });
}

void report(const ExtractResult& result, std::size_t items, std::size_t users, const Context& context) {
  context.info(std::to_string(result.tags) + " tags" + (result.kept_tags ? " (kept as they were)" : "") +
               ", " + std::to_string(result.edges) + " edges between them, " +
               std::to_string(result.tag_items) + " to items");
  if (result.items_without_text > 0)
    context.warn(std::to_string(result.items_without_text) + " of " + std::to_string(items) +
                 " items have no text: their summaries are empty. Add titles or categories to items.jsonl.");
  if (result.users_without_text > 0)
    context.warn(std::to_string(result.users_without_text) + " of " + std::to_string(users) +
                 " users have no training item with a text: their summaries are empty.");
}

}  // namespace

ExtractResult run(const ExtractOptions& options, const Context& context) {
  check(options);
  if (options.extractor == "llm") return run_llm(options, context);
  const std::filesystem::path& folder = options.dataset;
  const data::Dataset dataset = data::load_dataset(folder);
  const Catalogue catalogue{load_texts(folder, dataset.items), dataset.train_csr()};
  const bool texts = std::any_of(catalogue.items.begin(), catalogue.items.end(), has_text);
  if (!texts && !data::has_tags(folder))
    throw data_error((folder / "items.jsonl").string(), 0, "",
                     "no item of the dataset has a text, and there is no tags.tsv",
                     "Give titles, brands or categories to `prepare`, or put tags.tsv, tag_edges.tsv and "
                     "tag_items.tsv into the folder.");
  if (options.keep_tags && !data::has_tags(folder))
    throw Error(ErrorCode::kInvalidArgument,
                "option 'keep_tags': " + (folder / "tags.tsv").string() + " does not exist");

  ExtractResult result;
  result.kept_tags = options.keep_tags || !texts;
  const Extraction extraction = result.kept_tags
                                    ? keep_tags(catalogue, data::load_tags(folder, dataset.items))
                                    : extract_catalog(catalogue, options, context);
  context.check_stop("extract");
  FileSet files(folder);
  data::add_summaries("item_summaries.jsonl", dataset.items, extraction.item_summaries, files);
  data::add_summaries("user_summaries.jsonl", dataset.users, extraction.user_summaries, files);
  if (!result.kept_tags) data::add_tags(extraction.tags, dataset.items, files);
  files.commit();

  result.tags = static_cast<std::int64_t>(extraction.tags.tags.size());
  result.edges = static_cast<std::int64_t>(extraction.tags.edges.size());
  result.tag_items = static_cast<std::int64_t>(extraction.tags.tag_items.size());
  result.items_without_text = count_empty(extraction.item_summaries);
  result.users_without_text = count_empty(extraction.user_summaries);
  report(result, dataset.items.size(), dataset.users.size(), context);
  return result;
}

}  // namespace hyperllm::stages::extract
