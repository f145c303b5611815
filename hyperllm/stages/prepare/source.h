// Finding out what the input is, and reading it.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "hyperllm/base/progress.h"
#include "hyperllm/data/importers/raw.h"
#include "hyperllm/data/tags.h"
#include "hyperllm/stages/prepare/options.h"

namespace hyperllm::stages::prepare {

struct Source {
  std::string format;  // never "auto"
  data::importers::RawInteractions raw;
  std::optional<data::TagGraph> tags;        // of released HyperLLM folders
  std::filesystem::path items;               // file with item texts; empty if there is none
  std::vector<std::filesystem::path> files;  // everything read so far
};

// One of the formats, by what the paths are called and begin with. Throws kIo for a path that is not there,
// kInvalidArgument for a folder in which nothing is known, saying what was looked for.
std::string detect_format(const std::vector<std::filesystem::path>& input);

// Reads interactions (and tags) and finds the file of item texts. Throws kInvalidArgument, kIo, kInvalidData.
Source read_source(const PrepareOptions& options, const Context& context);

// Texts of the items called `ids`, in that order, from source.items.
std::vector<data::ItemText> read_item_texts(const Source& source, const PrepareOptions& options,
                                            const std::vector<std::string>& ids, const Context& context);

}  // namespace hyperllm::stages::prepare
