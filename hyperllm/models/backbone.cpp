#include "hyperllm/models/backbone.h"

#include <map>

#include "hyperllm/models/hgcf.h"

namespace hyperllm::models {
namespace {

std::map<std::string, BackboneFactory>& registry() {
  static std::map<std::string, BackboneFactory> factories = {{"hgcf", make_hgcf}};
  return factories;
}

}  // namespace

void register_backbone(const std::string& name, BackboneFactory factory) {
  registry()[name] = std::move(factory);
}

std::vector<std::string> backbone_names() {
  std::vector<std::string> names;
  for (const auto& [name, factory] : registry()) names.push_back(name);
  return names;
}

std::unique_ptr<Backbone> make_backbone(const std::string& name, const BackboneOptions& options) {
  const auto found = registry().find(name);
  if (found == registry().end()) {
    const std::string near = nearest_word(name, backbone_names());
    throw Error(ErrorCode::kInvalidArgument,
                "unknown backbone '" + name + "'" + (near.empty() ? "" : "; did you mean '" + near + "'?"));
  }
  HYPERLLM_CHECK(options.layers >= 1 && options.max_radius > 0, ErrorCode::kInvalidArgument,
                 "backbone: expected layers >= 1 and max_radius > 0");
  return found->second(options);
}

}  // namespace hyperllm::models
