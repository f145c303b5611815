#include "hyperllm/baselines/ials.h"

#include "hyperllm/models/model.h"
#include "hyperllm/retrieval/model_files.h"

namespace hyperllm::models {
namespace {

struct Ials : Model {
  baselines::IalsOptions options;
  FieldList fields() override {
    return {
        {"dim", &options.dim, "dimensions; try 64 to 1024", within(1, 16384)},
        {"alpha0", &options.alpha0, "weight of all pairs beside the observed; try 0.001 to 1", above(0, 1e6)},
        {"reg", &options.lambda, "lambda; try 0.0005 to 0.1", above(0, 1e6)},
        {"nu", &options.nu, "regularised by frequency to this power; 0: all rows alike", within(0, 4)},
        {"iterations", &options.iterations, "of both sides", within(1, 1e6)}};
  }
  std::vector<std::string> fit(const TrainingData& data, FileSet& files, const std::string& prefix,
                               const Context& context) const override {
    const baselines::IalsModel model = baselines::ials(data.train, options, data.seed, context);
    retrieval::add_embeddings_model(files, prefix, {Geometry::kEuclidean}, model.users, model.items);
    return {prefix + "model.json", prefix + "users.npy", prefix + "items.npy"};
  }
};

}  // namespace

void add_ials(Registry<Model>& to) { to.add("ials", "implicit alternating least squares", Ials()); }

}  // namespace hyperllm::models
