// Finding out what the input is, and reading it.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "hyperllm/base/progress.h"
#include "hyperllm/data/tags.h"
#include "hyperllm/importers/options.h"
#include "hyperllm/importers/raw.h"

namespace hyperllm::importers {

struct Source {
  std::string format;  // never "auto"
  RawInteractions raw;
  std::optional<data::TagGraph> tags;        // of released HyperLLM folders
  std::filesystem::path items;               // file with item texts; empty if there is none
  std::vector<std::filesystem::path> files;  // everything read so far, as it lies on disk
};

// Reads interactions (and tags) and finds the file of item texts. Throws kInvalidArgument (an option that the
// format cannot use, a folder in which nothing is known), kIo, kInvalidData, kUnavailable.
Source read_source(const ImportOptions& options, const Context& context);

struct ItemTexts {
  std::vector<ItemText> texts;
  FileReport report;
};

// Texts of the items called `ids`, in that order, from source.items. Throws as the file's reader.
ItemTexts read_item_texts(const Source& source, const ImportOptions& options,
                          const std::vector<std::string>& ids, const Context& context);

}  // namespace hyperllm::importers
