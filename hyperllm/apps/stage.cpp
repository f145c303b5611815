#include "hyperllm/apps/stage.h"

#include <algorithm>
#include <optional>

#include "hyperllm/artifact/manifest.h"
#include "hyperllm/base/error.h"
#include "hyperllm/base/file_set.h"
#include "hyperllm/base/lock.h"

namespace hyperllm::apps {
namespace {

artifact::Manifest manifest_of(const std::string& stage, StageCall& call, Files outputs) {
  return artifact::make_manifest(stage, result_fields(call.fields()), call.inputs(), std::move(outputs));
}

// An action is a flag or a path; its default asks for nothing.
bool asks_for_action(StageCall& call) {
  const FieldList fields = call.fields();
  return std::any_of(fields.begin(), fields.end(), [](const Field& field) {
    const std::string value = field_text(field);
    return field.effect == Effect::kAction && !value.empty() && value != "false";
  });
}

}  // namespace

const Stage& find_stage(const std::vector<Stage>& stages, const std::string& name) {
  const auto found =
      std::find_if(stages.begin(), stages.end(), [&](const Stage& stage) { return stage.name == name; });
  HYPERLLM_CHECK(found != stages.end(), ErrorCode::kInvalidArgument, "there is no stage '" + name + "'.");
  return *found;
}

bool is_up_to_date(const std::string& stage, StageCall& call) {
  if (call.manifest().empty() || asks_for_action(call) ||
      !artifact::up_to_date(manifest_of(stage, call, {}), call.manifest()))
    return false;
  // What a process left that was killed after its last file.
  if (const auto folder = call.writes_to(); !folder.empty()) remove_leftover_lock(folder);
  return true;
}

void run_stage(const std::string& stage, StageCall& call, const Context& context, std::ostream& out) {
  check_owners(call.fields());
  std::optional<FolderLock> lock;
  if (const auto folder = call.writes_to(); !folder.empty()) lock.emplace(folder);
  const Files runs = call.uses_models_of();
  for (const std::filesystem::path& run : runs) finish_commit(run);
  for (const auto& manifest : call.builds_on()) artifact::require_made_from(manifest, call.built_from());
  for (const std::filesystem::path& run : runs) {
    artifact::require_intact(run / "manifest.json", run / "model");
    if (const auto epoch = artifact::unfinished_epoch(run))
      context.warn(run.string() + ": its training has not ended; the model is that of epoch " +
                   std::to_string(*epoch) + ", the best so far. The same `hyperllm train` goes on with it.");
  }
  call.run(context, out);
  if (call.manifest().empty()) return;
  artifact::Manifest manifest = manifest_of(stage, call, call.outputs());
  manifest.notes = call.notes();
  artifact::save_manifest(manifest, call.manifest());
  call.ended();
}

}  // namespace hyperllm::apps
