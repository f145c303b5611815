#include "hyperllm/baselines/ease.h"

#include "hyperllm/models/model.h"
#include "hyperllm/retrieval/model_files.h"

namespace hyperllm::models {
namespace {

struct Ease : Model {
  double lambda = 100;
  FieldList fields() override {
    return {{"lambda", &lambda, "ridge penalty; try 50 to 1000", above(0, 1e12)}};
  }
  std::vector<std::string> fit(const TrainingData& data, FileSet& files, const std::string& prefix,
                               const Context& context) const override {
    baselines::EaseOptions options;
    options.lambda = lambda;
    retrieval::add_item_item_model(files, prefix, baselines::ease(data.train, options, context));
    return {prefix + "model.json", prefix + "weights.npy"};
  }
};

}  // namespace

void add_ease(Registry<Model>& to) { to.add("ease", "a linear item-item model", Ease()); }

}  // namespace hyperllm::models
