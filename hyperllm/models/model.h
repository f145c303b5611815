// What `train --model` names: backbones, and baselines, which are models without epochs. A new one is one
// class in a file of its own and one line in model.cpp.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "hyperllm/artifact/npy.h"
#include "hyperllm/base/file_set.h"
#include "hyperllm/base/progress.h"
#include "hyperllm/base/registry.h"
#include "hyperllm/data/csr.h"
#include "hyperllm/data/tags.h"
#include "hyperllm/models/backbone.h"

namespace hyperllm::models {

// What a baseline reads beside the training interactions.
struct Reads {
  bool tags = false;
  bool embeddings = false;                  // of the items, from the run's semantic embeddings
  bool valid = false;                       // to choose settings by
  std::vector<std::filesystem::path> runs;  // folders of finished runs
};

// What a baseline is computed from; null unless it says that it reads it.
struct TrainingData {
  const data::Csr& train;
  std::uint64_t seed = 1;  // of whatever it draws
  const data::TagGraph* tags = nullptr;
  const artifact::Matrix* item_embeddings = nullptr;
  const data::Csr* valid = nullptr;
};

// Options of its own are the members of the class that implements one of the two.
class Model : public Configurable {
 public:
  // What a framework is built around. Null: the model is a baseline.
  virtual std::unique_ptr<Backbone> backbone(const BackboneOptions&) const { return nullptr; }
  // Throws kInvalidArgument for options of a baseline that do not go together.
  virtual void validate() const {}
  // With the options as they are.
  virtual Reads reads() const { return {}; }
  // A baseline's work: computes the model and adds it to `files` as retrieval/model_files.h has it, each file
  // called `prefix` and its name. Returns those names.
  virtual std::vector<std::string> fit(const TrainingData& data, FileSet& files, const std::string& prefix,
                                       const Context& context) const;

  // What the model was published with, which "auto" stands for: the name of an objective, and of an
  // optimizer ("": the one that suits the objective).
  virtual std::string objective() const { return "hinge"; }
  virtual std::string optimizer() const { return ""; }

  bool is_baseline() const { return backbone({}) == nullptr; }
};

// All models: those that files of this folder add, and what was added.
Registry<Model>& models();

// What a run uses that chose `chosen`, a name or "auto".
std::string objective_for(const Model& model, const std::string& chosen);
std::string optimizer_for(const Model& model, const objectives::Objective& objective,
                          const std::string& chosen);

using BackboneFactory = std::function<std::unique_ptr<Backbone>(const BackboneOptions&)>;

// A backbone that has no options of its own.
void add_backbone(const std::string& name, std::string help, BackboneFactory factory);

// With the model's own options at their defaults. Throws kInvalidArgument: an unknown name (naming the
// nearest one), a baseline, shared options out of range.
std::unique_ptr<Backbone> make_backbone(const std::string& name, const BackboneOptions& options);
// Throws kInvalidArgument if the model is a baseline, or for shared options out of range.
std::unique_ptr<Backbone> make_backbone(const Model& model, const BackboneOptions& options);

// What the files of their names hold.
void add_hgcf(Registry<Model>& to);
void add_hgch(Registry<Model>& to);
void add_hicf(Registry<Model>& to);
void add_hrcf(Registry<Model>& to);
void add_hypercl(Registry<Model>& to);
void add_lightgcn(Registry<Model>& to);
void add_bprmf(Registry<Model>& to);
void add_popular(Registry<Model>& to);
void add_ease(Registry<Model>& to);
void add_fusion(Registry<Model>& to);
void add_item_knn(Registry<Model>& to);
void add_ials(Registry<Model>& to);

}  // namespace hyperllm::models
