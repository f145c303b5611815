// Runs `hyperllm` commands in children of the test that are killed, starved of disk or held up at chosen
// steps.
#pragma once

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <iostream>
#include <map>
#include <string>
#include <vector>

#include "hyperllm/apps/cli.h"
#include "hyperllm/base/error.h"
#include "hyperllm/base/file_set.h"
#include "hyperllm/base/files.h"

namespace hyperllm::faults {

namespace fs = std::filesystem;
using Content = std::map<std::string, std::string>;
using Words = std::vector<std::string>;

inline std::int64_t setting(const char* name, std::int64_t otherwise) {
  const char* text = std::getenv(name);
  return text ? std::atoll(text) : otherwise;
}

// What happens to a child at its steps on the disk (hyperllm/base/files.h).
struct Fault {
  std::int64_t kill_at = -1;  // step before which it is killed
  std::int64_t fail_at = -1;  // first of the steps that fail, as on a full disk: all later ones do, too
  std::int64_t limit = -1;    // bytes that a file may have (RLIMIT_FSIZE)
  int hold = -1;              // descriptor: at the first step it waits until this one is closed
  int told = -1;              // descriptor that is written to before that wait
};

inline Fault current;
inline std::string steps_taken;  // the first letter of each

inline void on_step(const char* step, const fs::path& path) {
  const auto number = static_cast<std::int64_t>(steps_taken.size());
  steps_taken += step[0];
  char byte = 0;
  if (number == 0 && current.hold >= 0) {
    if (::write(current.told, &byte, 1) != 1) ::_exit(99);
    while (::read(current.hold, &byte, 1) > 0) {
    }
  }
  if (number == current.kill_at) ::raise(SIGKILL);
  if (current.fail_at >= 0 && number >= current.fail_at)
    throw Error(ErrorCode::kIo, path.string() + ": cannot " + step + ": made up");
}

// Starts a command in `folder`; what it says goes to `said`, its steps to `said`.steps.
inline pid_t start(const fs::path& folder, const Words& words, const Fault& fault, const fs::path& said) {
  std::cout.flush();
  const pid_t child = ::fork();
  if (child != 0) return child;
  if (::chdir(folder.c_str()) != 0) ::_exit(99);
  ::dup2(::open(said.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644), STDERR_FILENO);
  ::dup2(STDERR_FILENO, STDOUT_FILENO);
  std::signal(SIGXFSZ, SIG_IGN);  // as the program's main does
  current = fault;
  set_file_step_hook(on_step);
  if (fault.limit >= 0) {
    const auto bytes = static_cast<rlim_t>(fault.limit);
    const rlimit limit{bytes, RLIM_INFINITY};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  const int status = apps::run_command(words, apps::all_stages(), std::cout, stderr);
  const rlimit none{RLIM_INFINITY, RLIM_INFINITY};
  ::setrlimit(RLIMIT_FSIZE, &none);
  set_file_step_hook(nullptr);
  write_file(said.string() + ".steps", steps_taken);
  ::_exit(status);
}

// The exit status, or 128 + signal.
inline int wait_for(pid_t child) {
  int status = 0;
  if (::waitpid(child, &status, 0) != child) return 99;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

// Every file below the folder as a reader finds it, manifests, logs and times left out; `all` keeps those
// that belong to no set, too.
inline Content content(const fs::path& folder) {
  Content files;
  if (!fs::exists(folder)) return files;
  for (const auto& entry : fs::recursive_directory_iterator(folder))
    if (entry.is_directory()) finish_commit(entry.path());
  finish_commit(folder);
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    const bool of_a_set = name.find("manifest.json") == name.npos && name != "timing.json" &&
                          name.find("metrics.jsonl") == name.npos && !name.ends_with(".safetensors") &&
                          name.find(".tmp") == name.npos && name != ".hyperllm.lock";
    if (entry.is_regular_file() && of_a_set)
      files[fs::relative(entry.path(), folder).string()] = read_file(entry.path());
  }
  return files;
}

// Temporaries and locks that nobody needs any more.
inline std::string leftovers(const fs::path& folder) {
  std::string found;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    if (name.find(".tmp") != name.npos || name.starts_with(".hyperllm"))
      found += entry.path().string() + "\n";
  }
  return found;
}

}  // namespace hyperllm::faults
