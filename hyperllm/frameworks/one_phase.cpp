#include "hyperllm/frameworks/one_phase.h"

namespace hyperllm::frameworks {

void OwnStepOptions::add_fields(FieldList& to) {
  to.push_back({"lr", &lr, "learning rate of the added weights", above(0, 1000)});
  to.push_back({"weight_decay", &weight_decay, "of the added weights", within(0, 100)});
  to.push_back(
      {"optimizer", &optimizer, "of the added weights; sgd: with the run's momentum", {"adam", "sgd"}});
}

std::vector<optim::Parameter> all_parameters(const Embeddings& embeddings,
                                             std::vector<optim::Parameter> added,
                                             const models::Backbone& backbone) {
  std::vector<optim::Parameter> all = embeddings.parameters();
  for (optim::Parameter& parameter : added) all.push_back(std::move(parameter));
  for (optim::Parameter& parameter : backbone.parameters()) all.push_back(std::move(parameter));
  return all;
}

Phase only_phase(const Materials& materials, std::function<std::unique_ptr<Framework>(Storage)> make) {
  return {.name = "training",
          .options = "",
          .checkpoint = "checkpoint.safetensors",
          .log = "metrics.jsonl",
          .objective = materials.objective,
          .lr = materials.lr,
          .epochs = materials.epochs,
          .patience = materials.patience,
          .make = std::move(make),
          .ended = {},
          .alone = {},
          .restored = {}};
}

torch::Tensor random_tangents(const Materials& materials, std::int64_t dim) {
  return materials.backbone->initial_tangents(materials.nodes(), *materials.user_item, dim,
                                              materials.init_scale, Random(materials.seed, "id embeddings"));
}

std::unique_ptr<Embeddings> random_table(const Materials& materials, std::int64_t dim, Storage storage) {
  return make_table("id_embeddings", random_tangents(materials, dim), storage,
                    materials.backbone->space().curvature);
}

}  // namespace hyperllm::frameworks
