#include "hyperllm/baselines/item_knn.h"

#include "hyperllm/models/model.h"
#include "hyperllm/retrieval/model_files.h"

namespace hyperllm::models {
namespace {

using baselines::Similarity;
using baselines::Weighting;

struct ItemKnn : Model {
  std::int64_t neighbours = 100;
  double shrink = 10;
  std::string similarity = "cosine", weighting = "none";
  FieldList fields() override {
    return {{"neighbours", &neighbours, "similar items kept for each item", within(1, 1e6)},
            {"shrink", &shrink, "weakens similarities that rest on few users", within(0, 1e6)},
            {"similarity", &similarity, "of two items' users", {"cosine", "jaccard", "dice"}},
            {"weighting", &weighting, "of interactions, in similarities", {"none", "tfidf", "bm25"}}};
  }
  std::vector<std::string> fit(const TrainingData& data, FileSet& files, const std::string& prefix,
                               const Context& context) const override {
    baselines::ItemKnnOptions options;
    options.neighbours = neighbours;
    options.shrink = shrink;
    options.similarity = similarity == "jaccard" ? Similarity::kJaccard
                         : similarity == "dice"  ? Similarity::kDice
                                                 : Similarity::kCosine;
    options.weighting = weighting == "tfidf"  ? Weighting::kTfIdf
                        : weighting == "bm25" ? Weighting::kBm25
                                              : Weighting::kNone;
    retrieval::add_sparse_item_item_model(files, prefix, baselines::item_knn(data.train, options, context));
    return {prefix + "model.json", prefix + "entries.npy"};
  }
};

}  // namespace

void add_item_knn(Registry<Model>& to) { to.add("item_knn", "items similar to the user's", ItemKnn()); }

}  // namespace hyperllm::models
