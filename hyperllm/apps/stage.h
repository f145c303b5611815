// A stage as the command line and recipes see it: options by name, the files it reads and writes, one call.
#pragma once

#include <filesystem>
#include <functional>
#include <iosfwd>
#include <memory>
#include <string>
#include <vector>

#include "hyperllm/base/fields.h"
#include "hyperllm/base/progress.h"

namespace hyperllm::apps {

using Files = std::vector<std::filesystem::path>;

// A file without which a stage cannot run, and what to do where nobody makes it.
struct Need {
  std::filesystem::path file;
  std::string remedy;
};

// One call of a stage: its options, and what follows from them.
class StageCall {
 public:
  virtual ~StageCall() = default;
  // Pointers into this call's options.
  virtual FieldList fields() = 0;
  // Where the manifest goes; empty for a stage that only answers a question.
  virtual std::filesystem::path manifest() const = 0;
  // For recipes, which are checked whole before any work. Throws kInvalidArgument for options that cannot
  // work; what must be there when it runs; and some of what will be there afterwards.
  virtual void check() {}
  virtual std::vector<Need> needs() const { return {}; }
  virtual Files makes() const { return {}; }
  // What it will read (only files that exist) and what it has written.
  virtual Files inputs() const = 0;
  // What it would read, as far as that is known before it runs.
  virtual Files reads() const { return inputs(); }
  virtual Files outputs() const = 0;
  // The folder that it writes to, if there is one: locked while it works. Empty: it writes nothing, or only
  // what others may write at the same time.
  virtual std::filesystem::path writes_to() const { return {}; }
  // Manifests of the earlier results that it builds on, and the interactions that those must be made of: with
  // others, a user's summary, embedding or model could hold what validation and test hide from it.
  virtual Files builds_on() const { return {}; }
  virtual Files built_from() const { return {}; }
  // The run folder whose model it uses: the model must be as training wrote it, for a damaged one answers all
  // the same. Empty: none.
  virtual std::filesystem::path uses_model_of() const { return {}; }
  // True if the command line, too, leaves a result alone that is up to date, as recipes do for every stage.
  virtual bool keeps_result() const { return false; }
  // False for a training that is one step, such as a baseline's: options of epochs and steps say nothing to
  // it.
  virtual bool has_epochs() const { return true; }
  // What the manifest says of the work beside, as JSON objects.
  virtual std::vector<std::string> notes() const { return {}; }
  // After the manifest is written.
  virtual void ended() {}
  // Results go to `out`, everything else through the context.
  virtual void run(const Context& context, std::ostream& out) = 0;
};

struct Stage {
  std::string name;
  std::string help;
  std::function<std::unique_ptr<StageCall>()> make;
};

// The stages of this build, in the order of the pipeline.
const std::vector<Stage>& all_stages();

// Throws kInvalidArgument if there is none.
const Stage& find_stage(const std::vector<Stage>& stages, const std::string& name);

// True if the call's manifest says that nothing has to be done, and no option asks for an action.
bool is_up_to_date(const std::string& stage, StageCall& call);

// Runs the call, then writes its manifest. Throws, before any work, kUnavailable if another process is
// writing to its folder and kInvalidData if it builds on results of other interactions or on damaged files;
// then whatever the call throws.
void run_stage(const std::string& stage, StageCall& call, const Context& context, std::ostream& out);

}  // namespace hyperllm::apps
