#include "hyperllm/apps/stage.h"

#include <algorithm>
#include <optional>
#include <set>

#include "hyperllm/artifact/manifest.h"
#include "hyperllm/base/error.h"
#include "hyperllm/base/lock.h"

namespace hyperllm::apps {
namespace {

// Options that decide how, never what: they are no part of a manifest.
bool decides_result(const Field& field) {
  static const std::set<std::string> how = {"resume",
                                            "checkpoint_seconds",
                                            "memory_limit",
                                            "api_key_env",
                                            "base_url",
                                            "store",
                                            "concurrency",
                                            "requests_per_minute",
                                            "tokens_per_minute",
                                            "timeout_seconds",
                                            "tries",
                                            "budget",
                                            "input_price",
                                            "output_price",
                                            "retry_failed",
                                            "local_context",
                                            "dialect",
                                            "import_batch",
                                            "export_batch"};
  return !how.contains(field.name);
}

artifact::Manifest manifest_of(const std::string& stage, StageCall& call, Files outputs) {
  FieldList fields = call.fields();
  std::erase_if(fields, [](const Field& field) { return !decides_result(field); });
  return artifact::make_manifest(stage, fields, call.inputs(), std::move(outputs));
}

}  // namespace

const Stage& find_stage(const std::vector<Stage>& stages, const std::string& name) {
  const auto found =
      std::find_if(stages.begin(), stages.end(), [&](const Stage& stage) { return stage.name == name; });
  HYPERLLM_CHECK(found != stages.end(), ErrorCode::kInvalidArgument, "there is no stage '" + name + "'.");
  return *found;
}

bool is_up_to_date(const std::string& stage, StageCall& call) {
  if (call.manifest().empty() || !artifact::up_to_date(manifest_of(stage, call, {}), call.manifest()))
    return false;
  // What a process left that was killed after its last file.
  if (const auto folder = call.writes_to(); !folder.empty()) remove_leftover_lock(folder);
  return true;
}

void run_stage(const std::string& stage, StageCall& call, const Context& context, std::ostream& out) {
  std::optional<FolderLock> lock;
  if (const auto folder = call.writes_to(); !folder.empty()) lock.emplace(folder);
  for (const auto& manifest : call.builds_on()) artifact::require_made_from(manifest, call.built_from());
  call.run(context, out);
  if (!call.manifest().empty())
    artifact::save_manifest(manifest_of(stage, call, call.outputs()), call.manifest());
}

}  // namespace hyperllm::apps
