// Small runs on a planted dataset, and what they leave behind.
#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "hyperllm/base/files.h"
#include "hyperllm/stages/train/options.h"

namespace hyperllm::test {

// Two short phases of a small model, with the loss that its backbone was published with.
inline stages::train::TrainOptions small_run(const std::filesystem::path& dataset,
                                             const std::filesystem::path& output) {
  stages::train::TrainOptions out;
  out.dataset = dataset;
  out.output = output;
  out.embeddings = "planted";
  out.objective = "auto";
  out.lr = 1e-3;
  out.dim = 4;
  out.batch_size = 100;
  out.epochs = 2;
  out.set("experts", "2");
  out.set("phase1_epochs", "2");
  return out;
}

// Every file of a run by its path in the folder, but for the time it took.
inline std::map<std::string, std::string> run_files(const std::filesystem::path& run) {
  namespace fs = std::filesystem;
  std::map<std::string, std::string> files;
  for (const auto& entry : fs::recursive_directory_iterator(run))
    if (entry.is_regular_file() && entry.path().filename() != "timing.json")
      files[fs::relative(entry.path(), run).string()] = read_file(entry.path());
  return files;
}

}  // namespace hyperllm::test
