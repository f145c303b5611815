// manifest.json: what a stage was told, what it read, what it wrote. A stage whose manifest still matches is
// up to date.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "hyperllm/base/fields.h"

namespace hyperllm::artifact {

struct Manifest {
  std::string stage;                                         // "prepare", "train", ...
  std::vector<std::pair<std::string, std::string>> options;  // resolved, name -> field_text
  std::vector<std::filesystem::path> inputs;                 // files read
  std::vector<std::filesystem::path> outputs;                // files written
  // What the stage says of its work beside, as JSON objects; it decides nothing.
  std::vector<std::string> notes = {};
};

Manifest make_manifest(std::string stage, const FieldList& options, std::vector<std::filesystem::path> inputs,
                       std::vector<std::filesystem::path> outputs);

// Writes the manifest with content hashes of inputs and outputs, and versions of hyperllm and its
// dependencies; atomically. No time stamps: same recipe, same bytes.
void save_manifest(const Manifest& manifest, const std::filesystem::path& path);

// True if `path` holds a manifest of the same stage, options and input hashes, and every output still has its
// hash. A missing or unreadable manifest is simply not up to date.
bool up_to_date(const Manifest& manifest, const std::filesystem::path& path);

// What a manifest recorded, as texts: options by name, content hashes by path. Empty if it cannot be read.
struct Recorded {
  std::map<std::string, std::string> options, inputs;
};
Recorded recorded(const std::filesystem::path& path);

// The inputs that the manifest names; none if it cannot be read. For stages that find out what to read only
// by reading: with unchanged options they would read these again.
std::vector<std::filesystem::path> recorded_inputs(const std::filesystem::path& path);

// What RUN/model is while its training has not ended: RUN/unfinished.json. It names the inputs as a
// manifest does.
inline constexpr const char* kUnfinished = "unfinished.json";
struct Unfinished {
  std::string stage;
  std::int64_t epoch = 0;                                   // whose model it is
  std::vector<std::pair<std::string, std::string>> inputs;  // path, content hash
};
std::string unfinished_text(const Unfinished& unfinished);
// The epoch, from the folder of a run; none if its training has ended.
std::optional<std::int64_t> unfinished_epoch(const std::filesystem::path& run);

// Refuses results that were made of other data than what lies there now: throws kInvalidData if the manifest
// at `path` names an input that is called as one of `files` but had another content. Files are told by name
// and content, because a manifest's paths hold only in the folder where its stage was started. Without a
// readable manifest nothing is known, and nothing is refused.
void require_made_from(const std::filesystem::path& path, const std::vector<std::filesystem::path>& files);

// Refuses files that are no longer what their stage wrote: throws kInvalidData if the manifest at `path`
// names an output that lies in a folder called as `folder` is, and the file of that name in `folder` is
// missing or has another content. Without a readable manifest nothing is known, and nothing is refused.
void require_intact(const std::filesystem::path& path, const std::filesystem::path& folder);

}  // namespace hyperllm::artifact
