#include "hyperllm/artifact/manifest.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "hyperllm/base/error.h"
#include "hyperllm/base/files.h"
#include "hyperllm/base/hash.h"
#include "hyperllm/base/json.h"

namespace hyperllm::artifact {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kFormat = 1;

Json hashes_of(const std::vector<std::filesystem::path>& files) {
  Json hashes = Json::object();
  for (const auto& file : files) hashes[file.generic_string()] = hash_file(file);
  return hashes;
}

Json options_json(const Manifest& manifest) {
  Json options = Json::object();
  for (const auto& [name, text] : manifest.options) options[name] = text;
  return options;
}

bool outputs_intact(const Json& outputs) {
  return std::all_of(outputs.items().begin(), outputs.items().end(), [](const auto& entry) {
    return hash_file(entry.key()) == entry.value().template get<std::string>();
  });
}

}  // namespace

Manifest make_manifest(std::string stage, const FieldList& options, std::vector<std::filesystem::path> inputs,
                       std::vector<std::filesystem::path> outputs) {
  Manifest manifest{std::move(stage), {}, std::move(inputs), std::move(outputs)};
  for (const Field& field : options) manifest.options.emplace_back(field.name, field_text(field));
  return manifest;
}

void save_manifest(const Manifest& manifest, const std::filesystem::path& path) {
  Json json;
  json["format"] = kFormat;
  json["stage"] = manifest.stage;
  json["options"] = options_json(manifest);
  json["inputs"] = hashes_of(manifest.inputs);
  json["outputs"] = hashes_of(manifest.outputs);
  json["versions"] = {{"hyperllm", HYPERLLM_VERSION},
                      {"libtorch", HYPERLLM_TORCH_VERSION},
                      {"openblas", HYPERLLM_OPENBLAS_VERSION},
                      {"compiler", __VERSION__}};
  write_file(path, json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
}

bool up_to_date(const Manifest& manifest, const std::filesystem::path& path) {
  try {
    const Json json = parse_json<Json>(read_file(path));
    // ordered_json compares the order of entries too; ours is always that of the stage's lists.
    return json.at("format") == kFormat && json.at("stage") == manifest.stage &&
           json.at("options") == options_json(manifest) && json.at("inputs") == hashes_of(manifest.inputs) &&
           outputs_intact(json.at("outputs"));
  } catch (const Error&) {  // a file is missing or unreadable
    return false;
  } catch (const Json::exception&) {  // not a manifest
    return false;
  }
}

void require_made_from(const std::filesystem::path& path, const std::vector<std::filesystem::path>& files) {
  if (!std::filesystem::exists(path)) return;
  const Json json = parse_json<Json>(read_file(path));
  if (!json.is_object() || !json.contains("inputs") || !json["inputs"].is_object()) return;
  for (const auto& [input, hash] : json["inputs"].items())
    for (const auto& file : files)
      if (std::filesystem::path(input).filename() == file.filename() && hash != hash_file(file)) {
        const std::string stage = json.contains("stage") && json["stage"].is_string()
                                      ? json["stage"].get<std::string>()
                                      : "its stage";
        throw data_error(path.string(), 0, "",
                         file.string() + " has changed since `" + stage + "` made these results of it",
                         "Run `hyperllm " + stage + "` again.");
      }
}

void require_intact(const std::filesystem::path& path, const std::filesystem::path& folder) {
  if (!std::filesystem::exists(path)) return;
  const Json json = parse_json<Json>(read_file(path));
  if (!json.is_object() || !json.contains("outputs") || !json["outputs"].is_object()) return;
  for (const auto& [output, hash] : json["outputs"].items()) {
    const std::filesystem::path written(output);
    if (written.parent_path().filename() != folder.filename()) continue;
    const std::filesystem::path file = folder / written.filename();
    if (std::filesystem::exists(file) && hash == hash_file(file)) continue;
    throw data_error(file.string(), 0, "",
                     "it is not what " + path.string() + " says was written (damaged or replaced)",
                     "Train the run again. If you replaced the file yourself, remove " + path.string() + ".");
  }
}

std::vector<std::filesystem::path> recorded_inputs(const std::filesystem::path& path) {
  std::vector<std::filesystem::path> inputs;
  try {
    const Json json = parse_json<Json>(read_file(path));
    const Json& recorded = json.at("inputs");
    if (!recorded.is_object()) return {};
    for (const auto& entry : recorded.items()) inputs.emplace_back(entry.key());
  } catch (const Error&) {
    return {};
  } catch (const Json::exception&) {
    return {};
  }
  return inputs;
}

}  // namespace hyperllm::artifact
