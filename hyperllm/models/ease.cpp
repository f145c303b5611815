#include "hyperllm/baselines/ease.h"

#include "hyperllm/models/model.h"
#include "hyperllm/retrieval/model_files.h"

namespace hyperllm::models {
namespace {

data::Csr tags_of_items(const data::TagGraph& graph, std::int64_t items) {
  std::vector<std::pair<std::int32_t, std::int32_t>> pairs;
  for (const auto& [tag, item] : graph.tag_items) pairs.emplace_back(item, tag);
  return data::make_csr(items, std::ssize(graph.tags), pairs);
}

struct Ease : Model {
  baselines::EaseOptions options;
  FieldList fields() override {
    return {
        {"lambda", &options.lambda, "ridge penalty; try 50 to 1000", above(0, 1e12)},
        {"dropout", &options.dropout, "dropout of training items, in expectation; try 0.5", within(0, 0.99)},
        {"tag_weight", &options.tag_weight,
         "weight of a rare tag relative to a user; frequent tags count less; 0: no tags; try 1",
         within(0, 1e6)},
        {"embedding_weight", &options.embedding_weight,
         "weight of the items' 'embeddings'; 0: none; try 1 to 20", within(0, 1e6)},
        {"neighbours", &options.neighbours,
         "solve each item on this many similar items only, for catalogues whose square does not fit in "
         "memory; 0: all",
         within(0, 1e6)}};
  }
  Reads reads() const override {
    Reads reads;
    reads.tags = options.tag_weight > 0;
    reads.embeddings = options.embedding_weight > 0;
    return reads;
  }
  std::vector<std::string> fit(const TrainingData& data, FileSet& files, const std::string& prefix,
                               const Context& context) const override {
    baselines::EaseSide side;
    const data::Csr tags = data.tags ? tags_of_items(*data.tags, data.train.cols) : data::Csr();
    if (data.tags) side.item_tags = &tags;
    side.embeddings = data.item_embeddings;
    if (options.neighbours > 0) {
      retrieval::add_sparse_item_item_model(files, prefix,
                                            baselines::sparse_ease(data.train, options, context, side));
      return {prefix + "model.json", prefix + "entries.npy"};
    }
    retrieval::add_item_item_model(files, prefix, baselines::ease(data.train, options, context, side));
    return {prefix + "model.json", prefix + "weights.npy"};
  }
};

}  // namespace

void add_ease(Registry<Model>& to) {
  to.add("ease", "a linear item-item model, with tags and embeddings of the items if wanted", Ease());
}

}  // namespace hyperllm::models
