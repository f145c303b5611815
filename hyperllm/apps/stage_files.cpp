#include "hyperllm/apps/stage_files.h"

#include <algorithm>

#include "hyperllm/base/file_set.h"

namespace hyperllm::apps {

namespace fs = std::filesystem;

Files existing(const fs::path& folder, std::initializer_list<const char*> names) {
  finish_commit(folder);
  Files files;
  for (const char* name : names)
    if (fs::exists(folder / name)) files.push_back(folder / name);
  return files;
}

void append(Files& files, const Files& more) { files.insert(files.end(), more.begin(), more.end()); }

Files files_in(const fs::path& folder, std::string_view suffix) {
  finish_commit(folder);
  Files files;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(folder, ignored))
    if (entry.is_regular_file() && entry.path().string().ends_with(suffix)) files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  return files;
}

fs::path if_there(const fs::path& dataset, const fs::path& folder) {
  return fs::is_directory(dataset) ? folder : fs::path();
}

}  // namespace hyperllm::apps
