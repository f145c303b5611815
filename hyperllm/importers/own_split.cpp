#include <algorithm>
#include <cctype>

#include "hyperllm/base/error.h"
#include "hyperllm/importers/columns.h"
#include "hyperllm/importers/importer.h"

namespace hyperllm::importers {
namespace {

namespace fs = std::filesystem;

// The part that one of the words of a file's name stands for: "ml_train.csv" is train.
std::optional<Part> part_of_name(const fs::path& path) {
  std::string word;
  std::optional<Part> found;
  for (const char letter : path.filename().string() + ".") {
    if (std::isalpha(static_cast<unsigned char>(letter))) {
      word += letter;
      continue;
    }
    if (word.size() > 2 && !found) found = part_of(word);
    word.clear();
  }
  return found;
}

bool has(const std::vector<Part>& parts, Part part) {
  return std::find(parts.begin(), parts.end(), part) != parts.end();
}

}  // namespace

std::vector<Part> part_of_inputs(const ImportOptions& options) {
  std::vector<Part> parts;
  if (options.input.size() < 2 || (options.split != "auto" && options.split != "keep")) return parts;
  for (const std::string& input : options.input)
    if (const auto part = part_of_name(input)) parts.push_back(*part);
  if (parts.size() == options.input.size() && has(parts, Part::kTrain) && has(parts, Part::kTest))
    return parts;
  parts.clear();
  if (options.split != "keep") return parts;
  if (options.input.size() == 2) return {Part::kTrain, Part::kTest};
  HYPERLLM_CHECK(
      options.input.size() == 3, ErrorCode::kInvalidArgument,
      "input: " + std::to_string(options.input.size()) +
          " files with split = keep, and their names do not say which part each is. Give two (train and "
          "test), three (train, valid and test), or files with train, valid and test in their names.");
  return {Part::kTrain, Part::kValid, Part::kTest};
}

void read_inputs(const ImportOptions& options, RawInteractions& raw,
                 const std::function<void(const fs::path&)>& read) {
  const std::vector<Part> parts = part_of_inputs(options);
  for (std::size_t i = 0; i < options.input.size(); ++i) {
    read(options.input[i]);
    if (!parts.empty()) raw.parts.resize(static_cast<std::size_t>(raw.rows.size()), parts[i]);
  }
}

std::vector<fs::path> split_files(const fs::path& folder) {
  std::vector<fs::path> files;
  std::vector<Part> parts;
  for (const fs::path& file : data::files_of(folder)) {
    const auto part =
        part_of(file.stem().extension().empty() ? file.stem().string() : file.stem().stem().string());
    if (!part || has(parts, *part)) continue;
    files.push_back(file);
    parts.push_back(*part);
  }
  if (!has(parts, Part::kTrain) || !has(parts, Part::kTest)) files.clear();
  return files;
}

fs::path only_input(const ImportOptions& options) {
  HYPERLLM_CHECK(options.input.size() == 1, ErrorCode::kInvalidArgument,
                 "input: this format takes one path, not " + std::to_string(options.input.size()) + ".");
  return options.input[0];
}

fs::path first_existing(const fs::path& folder, std::initializer_list<const char*> names) {
  for (const char* name : names)
    if (data::input_exists(folder / name)) return folder / name;
  return {};
}

fs::path items_beside(const fs::path& folder) {
  return first_existing(folder, {"items.jsonl", "items.jsonl.gz", "items.json", "items.csv"});
}

}  // namespace hyperllm::importers
