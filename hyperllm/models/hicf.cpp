// HICF (Yang et al., KDD 2022): HGCF's encoder, trained with an objective of its own
// (hyperllm/objectives/hicf.cpp), which has all its options.
#include "hyperllm/models/hgcf.h"
#include "hyperllm/models/model.h"

namespace hyperllm::models {
namespace {

struct HicfModel final : Model {
  std::unique_ptr<Backbone> backbone(const BackboneOptions& options) const override {
    return make_hgcf(options);
  }
  std::string objective() const override { return "hicf"; }
};

}  // namespace

void add_hicf(Registry<Model>& to) { to.add("hicf", "backbone: HGCF with objective hicf", HicfModel()); }

}  // namespace hyperllm::models
