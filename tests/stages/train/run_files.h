// What a run left behind.
#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "hyperllm/base/files.h"

namespace hyperllm::test {

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
