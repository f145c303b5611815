#include "hyperllm/base/process.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <sstream>

#include "hyperllm/base/descriptor.h"

namespace hyperllm {

std::optional<Ended> run_program(const std::vector<std::string>& command,
                                 const std::filesystem::path& folder) {
  const Descriptor complaints(::memfd_create("complaints", MFD_CLOEXEC));
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  if (complaints.get() >= 0) posix_spawn_file_actions_adddup2(&actions, complaints.get(), STDERR_FILENO);
  if (!folder.empty()) posix_spawn_file_actions_addchdir_np(&actions, folder.c_str());
  std::vector<char*> arguments;
  for (const std::string& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  pid_t child = 0;
  const bool started =
      ::posix_spawnp(&child, arguments[0], &actions, nullptr, arguments.data(), environ) == 0;
  posix_spawn_file_actions_destroy(&actions);
  if (!started) return std::nullopt;
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  Ended ended{WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), std::string(1 << 12, '\0')};
  const ssize_t count = ::pread(complaints.get(), ended.complaints.data(), ended.complaints.size(), 0);
  ended.complaints.resize(count > 0 ? static_cast<std::size_t>(count) : 0);
  return ended;
}

std::filesystem::path find_program(const std::string& name, std::vector<std::filesystem::path> first) {
  const char* path = std::getenv("PATH");
  std::istringstream folders(path ? path : "");
  for (std::string folder; std::getline(folders, folder, ':');) first.emplace_back(folder);
  for (const std::filesystem::path& folder : first) {
    std::error_code ignored;
    if (const auto file = folder / name; !folder.empty() && std::filesystem::is_regular_file(file, ignored) &&
                                         ::access(file.c_str(), X_OK) == 0)
      return file;
  }
  return {};
}

std::string shell_word(const std::string& text) {
  constexpr const char* kPlain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-";
  if (!text.empty() && text.find_first_not_of(kPlain) == text.npos) return text;
  std::string word = "'";
  for (const char letter : text) word += letter == '\'' ? std::string("'\\''") : std::string(1, letter);
  return word + "'";
}

}  // namespace hyperllm
