#include "hyperllm/stages/tags/run.h"

#include <span>
#include <string>
#include <vector>

#include "hyperllm/artifact/npy.h"
#include "hyperllm/base/error.h"
#include "hyperllm/data/dataset.h"
#include "hyperllm/data/tags.h"
#include "hyperllm/llm/tag_cleaning.h"

namespace hyperllm::stages::tags {
namespace {

void check(TagsOptions options) {
  check_fields(options.fields());
  HYPERLLM_CHECK(!options.dataset.empty(), ErrorCode::kInvalidArgument,
                 "option 'dataset': give the dataset folder");
}

std::int64_t propose(const data::TagGraph& graph, std::span<const float> vectors, std::int64_t dimensions,
                     const TagsOptions& options) {
  const auto rules = llm::propose_merges(graph, options.spelling, vectors, dimensions, options.cosine);
  llm::save_tag_rules(rules, options.propose);
  return static_cast<std::int64_t>(rules.size());
}

artifact::Matrix vectors_of_file(const data::TagGraph& graph, const std::filesystem::path& file) {
  artifact::Matrix vectors = artifact::read_npy(file);
  if (vectors.rows != static_cast<std::int64_t>(graph.tags.size()))
    throw data_error(file.string(), 0, "shape",
                     "it has " + std::to_string(vectors.rows) + " rows, but there are " +
                         std::to_string(graph.tags.size()) + " tags",
                     "Give one row per line of tags.tsv, in the same order.");
  return vectors;
}

}  // namespace

TagsResult run(const TagsOptions& options, const Context& context) {
  check(options);
  const data::Dataset dataset = data::load_dataset(options.dataset);
  const data::TagGraph graph = data::load_tags(options.dataset, dataset.items);
  TagsResult result;
  if (!options.propose.empty()) {
    if (!options.vectors.empty()) {
      const artifact::Matrix vectors = vectors_of_file(graph, options.vectors);
      result.proposed = propose(graph, vectors.values, vectors.cols, options);
    } else if (!options.encoder.server.model.empty()) {
      std::vector<std::string> texts;
      for (const auto& tag : graph.tags) texts.push_back(tag.text);
      const auto table = llm::embed_texts(texts, options.dataset, options.encoder, context);
      result.text = table.text;
      if (options.encoder.server.dry_run) return result;
      result.proposed = propose(graph, table.values, table.dimensions, options);
    } else {
      result.proposed = propose(graph, {}, 0, options);
    }
    context.info(std::to_string(result.proposed) + " rules to review in " + options.propose.string() +
                 "; apply them with --rules");
  }
  llm::CleaningOptions cleaning{.rules = {},
                                .hub_share = options.hub_share,
                                .drop_hubs = options.drop_hubs,
                                .min_items = options.min_items};
  if (!options.rules.empty()) cleaning.rules = llm::load_tag_rules(options.rules);
  const auto [cleaned, report] = llm::clean_tags(graph, dataset.num_items(), cleaning);
  if (options.write) data::save_tags(cleaned, options.dataset, dataset.items);
  result.tags = static_cast<std::int64_t>(cleaned.tags.size());
  result.edges = static_cast<std::int64_t>(cleaned.edges.size());
  result.text = std::to_string(result.tags) + " tags, " + std::to_string(result.edges) + " edges" +
                (options.write ? " (written)" : "") + "\n" + report.text() + "\n" +
                llm::tag_tree(cleaned, options.children, options.depth);
  return result;
}

}  // namespace hyperllm::stages::tags
