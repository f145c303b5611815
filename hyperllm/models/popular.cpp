#include "hyperllm/baselines/popularity.h"
#include "hyperllm/models/model.h"
#include "hyperllm/retrieval/model_files.h"

namespace hyperllm::models {
namespace {

struct Popular : Model {
  std::vector<std::string> fit(const TrainingData& data, FileSet& files, const std::string& prefix,
                               const Context&) const override {
    retrieval::add_popularity_model(files, prefix, baselines::popularity(data.train));
    return {prefix + "model.json", prefix + "item_scores.npy"};
  }
};

}  // namespace

void add_popular(Registry<Model>& to) {
  to.add("popular", "the most popular items, for everybody", Popular());
}

}  // namespace hyperllm::models
