#include "hyperllm/artifact/manifest.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "hyperllm/base/error.h"
#include "hyperllm/base/files.h"
#include "hyperllm/base/hash.h"
#include "hyperllm/base/json.h"

namespace hyperllm::artifact {
namespace {

using Written = nlohmann::ordered_json;
using Json = nlohmann::json;  // what is read: an ordered object looks through all its keys to add one

constexpr int kFormat = 1;

template <typename Json>
Json hashes_of(const std::vector<std::filesystem::path>& files) {
  Json hashes = Json::object();
  for (const auto& file : files) hashes[file.generic_string()] = hash_file(file);
  return hashes;
}

template <typename Json>
Json options_json(const Manifest& manifest) {
  Json options = Json::object();
  for (const auto& [name, text] : manifest.options) options[name] = text;
  return options;
}

bool outputs_intact(const Json& outputs) {
  return outputs.is_object() &&
         std::all_of(outputs.items().begin(), outputs.items().end(),
                     [](const auto& entry) { return entry.value() == hash_file(entry.key()); });
}

// An object of that name; an empty one if there is none.
Json object_in(const Json& json, const char* name) {
  const auto found = json.is_object() ? json.find(name) : json.end();
  return found != json.end() && found->is_object() ? *found : Json::object();
}

}  // namespace

Manifest make_manifest(std::string stage, const FieldList& options, std::vector<std::filesystem::path> inputs,
                       std::vector<std::filesystem::path> outputs) {
  Manifest manifest{std::move(stage), {}, std::move(inputs), std::move(outputs), {}};
  for (const Field& field : options) manifest.options.emplace_back(field.name, field_text(field));
  return manifest;
}

void save_manifest(const Manifest& manifest, const std::filesystem::path& path) {
  Written json;
  json["format"] = kFormat;
  json["stage"] = manifest.stage;
  json["options"] = options_json<Written>(manifest);
  json["inputs"] = hashes_of<Written>(manifest.inputs);
  json["outputs"] = hashes_of<Written>(manifest.outputs);
  for (const std::string& note : manifest.notes) json["notes"].push_back(parse_json<Written>(note));
  json["versions"] = {{"hyperllm", HYPERLLM_VERSION},
                      {"libtorch", HYPERLLM_TORCH_VERSION},
                      {"openblas", HYPERLLM_OPENBLAS_VERSION},
                      {"compiler", __VERSION__}};
  write_file(path, json.dump(2, ' ', false, Written::error_handler_t::replace) + "\n");
}

bool up_to_date(const Manifest& manifest, const std::filesystem::path& path) {
  try {
    const Json json = parse_json(read_file(path));
    return json.is_object() && json.contains("outputs") && json.value("format", Json()) == kFormat &&
           json.value("stage", Json()) == manifest.stage &&
           json.value("options", Json()) == options_json<Json>(manifest) &&
           json.value("inputs", Json()) == hashes_of<Json>(manifest.inputs) &&
           outputs_intact(json["outputs"]);
  } catch (const Error&) {  // a file is missing or unreadable
    return false;
  }
}

std::string unfinished_text(const Unfinished& unfinished) {
  Written json;
  json["stage"] = unfinished.stage;
  json["epoch"] = unfinished.epoch;
  json["inputs"] = Written::object();
  for (const auto& [path, hash] : unfinished.inputs) json["inputs"][path] = hash;
  return json.dump(2, ' ', false, Written::error_handler_t::replace) + "\n";
}

std::optional<std::int64_t> unfinished_epoch(const std::filesystem::path& run) {
  const std::filesystem::path file = run / kUnfinished;
  if (!std::filesystem::exists(file)) return std::nullopt;
  const Json json = parse_json(read_file(file));
  const auto epoch = json.is_object() ? json.find("epoch") : json.end();
  if (epoch == json.end() || !epoch->is_number_integer())
    throw data_error(file.string(), 0, "epoch", "is missing or not a whole number",
                     "Run `hyperllm train` again; it replaces this file.");
  return epoch->get<std::int64_t>();
}

void require_made_from(const std::filesystem::path& path, const std::vector<std::filesystem::path>& files) {
  if (!std::filesystem::exists(path)) return;
  const Json json = parse_json(read_file(path));
  const Json inputs = object_in(json, "inputs");
  for (const auto& [input, hash] : inputs.items())
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
  const Json outputs = object_in(parse_json(read_file(path)), "outputs");
  for (const auto& [output, hash] : outputs.items()) {
    const std::filesystem::path written(output);
    if (written.parent_path().filename() != folder.filename()) continue;
    const std::filesystem::path file = folder / written.filename();
    if (std::filesystem::exists(file) && hash == hash_file(file)) continue;
    throw data_error(file.string(), 0, "",
                     "it differs from what " + path.string() + " recorded (damaged or replaced)",
                     "Train the run again. If you replaced the file yourself, remove " + path.string() + ".");
  }
}

Recorded recorded(const std::filesystem::path& path) {
  Recorded result;
  try {
    const Json json = parse_json(read_file(path));
    for (const auto& [name, texts] : {std::pair{"options", &result.options}, {"inputs", &result.inputs}}) {
      const Json object = object_in(json, name);
      for (const auto& [key, value] : object.items())
        if (value.is_string()) texts->emplace(key, value.get<std::string>());
    }
  } catch (const Error&) {
    return {};
  }
  return result;
}

std::vector<std::filesystem::path> recorded_inputs(const std::filesystem::path& path) {
  std::vector<std::filesystem::path> inputs;
  for (const auto& [input, hash] : recorded(path).inputs) inputs.emplace_back(input);
  return inputs;
}

}  // namespace hyperllm::artifact
