// What `train --framework` names: how a framework is trained, in one phase or several, and its options. A new
// one is one class in a file of its own and one line in method.cpp.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "hyperllm/base/registry.h"
#include "hyperllm/data/tags.h"
#include "hyperllm/frameworks/embeddings.h"
#include "hyperllm/frameworks/framework.h"

namespace hyperllm::frameworks {

// What a method reads beside the interactions, and what of it takes memory.
struct Needs {
  bool tags = false;
  std::filesystem::path embeddings;  // a name among the dataset's, or a folder; empty: none
  bool contrast = false;             // all-pairs contrast of the items
  std::int64_t contrast_rows = 0;    // items in a step of it; 0: all
  std::int64_t experts = 0;          // of a mixture over the embeddings; 0: none
  std::int64_t width = 1;            // columns of what the backbone takes, in multiples of the run's 'dim'
};

// What the memory of a step depends on.
struct StepShape {
  models::Nodes nodes;
  std::int64_t dim = 49, semantic_dim = 0, batch_size = 4096;
};

// What a run lends its method.
struct Materials {
  std::shared_ptr<const data::Csr> train;
  std::shared_ptr<const data::TagGraph> tags;  // null unless it needs tags
  graph::GraphPtr user_item;
  std::shared_ptr<const models::Backbone> backbone;
  std::shared_ptr<const Objective> objective;
  // Another one, with the run's options for it; "auto": what the model was published with.
  std::function<std::shared_ptr<const Objective>(const std::string& name)> objective_called;
  std::function<torch::Tensor()> semantic;  // reads the embeddings: (users + items) x their columns
  std::function<torch::Tensor()> start;     // reads them as tangents: (users + items) x dim
  std::int64_t dim = 49;
  double init_scale = 0.1;
  std::uint64_t seed = 1;
  double margin = 1.6, lr = 1e-3;
  std::int64_t epochs = 500, patience = 50;

  models::Nodes nodes() const { return {train->rows, train->cols}; }
  UserItemTask task(double with_margin, std::shared_ptr<const Objective> with) const {
    return {backbone, user_item, nodes(), std::move(with), with_margin};
  }
};

// One training, from a start to the best epoch.
struct Phase {
  std::string name;             // in progress, messages and timing
  std::string options;          // what the names of its options begin with: "phase1_", or nothing
  std::string checkpoint, log;  // names of its files in the run folder
  std::shared_ptr<const Objective> objective;
  double lr = 1e-3;
  std::int64_t epochs = 500, patience = 50;
  // Called when its turn has come. `storage`: of tables of ID embeddings.
  std::function<std::unique_ptr<Framework>(Storage storage)> make;
  // Called with the best epoch's parameters in place; may save results for others in the run folder, and
  // returns those files.
  std::function<std::vector<std::filesystem::path>(const Framework&, const std::filesystem::path& run)> ended;
  // If other runs may have its very results: the options, names and values, under which a run would be this
  // phase alone; and what is called instead of make and ended when those files are in the run folder.
  std::vector<std::pair<std::string, std::string>> alone;
  std::function<void(const std::filesystem::path& run)> restored;
};

class Method : public Configurable {
 public:
  // What reports call the run: the method, or its variant.
  virtual std::string variant() const = 0;
  // Throws kInvalidArgument for options that do not go together, kUnavailable for what this CPU cannot do.
  virtual void validate() const {}
  // `embeddings`: the run's semantic embeddings.
  virtual Needs needs(const std::filesystem::path& embeddings) const = 0;
  // Memory that a step takes beside what Needs says, in bytes.
  virtual std::int64_t step_bytes(const StepShape&) const { return 0; }
  // The last one's representations are the model. The method must outlive the phases.
  virtual std::vector<Phase> phases(const Materials& materials) const = 0;
};

// All methods: hyperllm, and what was added.
Registry<Method>& methods();

// What hyperllm_method.cpp, kar.cpp, rlmrec_con.cpp and rlmrec_gen.cpp hold.
void add_hyperllm(Registry<Method>& to);
void add_kar(Registry<Method>& to);
void add_rlmrec_con(Registry<Method>& to);
void add_rlmrec_gen(Registry<Method>& to);

}  // namespace hyperllm::frameworks
