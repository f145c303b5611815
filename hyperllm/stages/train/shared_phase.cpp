#include "hyperllm/stages/train/shared_phase.h"

#include <nlohmann/json.hpp>

#include "hyperllm/base/error.h"
#include "hyperllm/base/file_set.h"
#include "hyperllm/base/hash.h"
#include "hyperllm/base/json.h"
#include "hyperllm/base/lock.h"

namespace hyperllm::stages::train {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

constexpr const char* kDescription = "shared.json";

struct Content {
  SharedPhase phase;
  std::vector<std::pair<std::string, std::string>> files;  // name below the run, bytes
};

// Throws kIo, kInvalidData or an exception of Json's if anything is not as leave_shared left it.
Content read_content(const fs::path& folder, const std::string& key) {
  const Json json = parse_json(read_file(folder / kDescription));
  HYPERLLM_CHECK(json.at("key") == key, ErrorCode::kInvalidData, "it is of another key");
  Content content;
  content.phase = {json.at("best_epoch").get<std::int64_t>(),
                   json.at("epochs").get<std::int64_t>(),
                   json.at("score").get<double>(),
                   {}};
  for (const auto& [name, hash] : json.at("files").items()) {
    const fs::path file = folder / name;
    content.files.emplace_back(name, read_file(file, kNoLimit));
    HYPERLLM_CHECK(hash == hash_text(content.files.back().second), ErrorCode::kInvalidData,
                   file.string() + " is not what was written");
  }
  return content;
}

}  // namespace

std::optional<SharedPhase> take_shared(const fs::path& store, const std::string& key, const fs::path& run,
                                       const Context& context) {
  const fs::path folder = store / key;
  finish_commit(folder);
  if (!fs::exists(folder / kDescription)) return std::nullopt;
  Content content;
  try {
    content = read_content(folder, key);
  } catch (const std::exception& problem) {
    context.warn(folder.string() + ": these shared results are damaged and not used: " + problem.what());
    return std::nullopt;
  }
  remove_leftover_lock(folder);
  for (const auto& [name, bytes] : content.files) finish_commit(folder_of(run / name));
  FileSet files(run);
  for (const auto& [name, bytes] : content.files) {
    files.add(name).write(bytes);
    content.phase.files.push_back(run / name);
  }
  files.commit();
  return content.phase;
}

void leave_shared(const fs::path& store, const std::string& key, const fs::path& run,
                  const SharedPhase& phase) {
  const fs::path folder = store / key;
  std::optional<FolderLock> lock;
  try {
    lock.emplace(folder);
  } catch (const Error& error) {
    if (error.code() == ErrorCode::kUnavailable) return;
    throw;
  }
  Json description = {
      {"key", key}, {"best_epoch", phase.best_epoch}, {"epochs", phase.epochs}, {"score", phase.score}};
  FileSet files(folder);
  for (const fs::path& file : phase.files) {
    const std::string name = file.lexically_relative(run).generic_string(), bytes = read_file(file, kNoLimit);
    files.add(name).write(bytes);
    description["files"][name] = hash_text(bytes);
  }
  // The last to be put in place: where it is, the others are.
  files.add(kDescription).write(description.dump(2) + "\n");
  files.commit();
}

}  // namespace hyperllm::stages::train
