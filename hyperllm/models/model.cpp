#include "hyperllm/models/model.h"

namespace hyperllm::models {
namespace {

struct OfFactory : Model {
  explicit OfFactory(BackboneFactory from) : factory(std::move(from)) {}
  std::unique_ptr<Backbone> backbone(const BackboneOptions& options) const override {
    return factory(options);
  }
  BackboneFactory factory;
};

}  // namespace

std::vector<std::string> Model::fit(const TrainingData&, FileSet&, const std::string&, const Context&) const {
  throw Error(ErrorCode::kInvalidArgument, "this model is trained in epochs");
}

Registry<Model>& models() {
  static Registry<Model> all = [] {
    Registry<Model> made("model");
    add_hgcf(made);
    add_hgch(made);
    add_hicf(made);
    add_hrcf(made);
    add_hypercl(made);
    add_lightgcn(made);
    add_bprmf(made);
    add_popular(made);
    add_ease(made);
    add_fusion(made);
    add_item_knn(made);
    add_ials(made);
    return made;
  }();
  return all;
}

std::string objective_for(const Model& model, const std::string& chosen) {
  return chosen == "auto" ? model.objective() : chosen;
}

std::string optimizer_for(const Model& model, const objectives::Objective& objective,
                          const std::string& chosen) {
  if (chosen != "auto") return chosen;
  return model.optimizer().empty() ? objective.optimizer() : model.optimizer();
}

void add_backbone(const std::string& name, std::string help, BackboneFactory factory) {
  models().add(name, std::move(help), OfFactory(std::move(factory)));
}

std::unique_ptr<Backbone> make_backbone(const std::string& name, const BackboneOptions& options) {
  return make_backbone(*models().make(name), options);
}

std::unique_ptr<Backbone> make_backbone(const Model& model, const BackboneOptions& options) {
  HYPERLLM_CHECK(options.layers >= 1 && options.max_radius > 0, ErrorCode::kInvalidArgument,
                 "backbone: expected layers >= 1 and max_radius > 0");
  std::unique_ptr<Backbone> made = model.backbone(options);
  HYPERLLM_CHECK(made != nullptr, ErrorCode::kInvalidArgument, "a baseline has no backbone");
  return made;
}

}  // namespace hyperllm::models
