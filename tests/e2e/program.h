// Runs the real `hyperllm` binary in a folder of its own.
#pragma once

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "hyperllm/base/files.h"

namespace hyperllm::e2e {

struct Finished {
  int status = 0;  // exit status, or 128 + signal
  std::string out, err;
};

class Program {
 public:
  Program(const std::filesystem::path& folder, const std::vector<std::string>& arguments,
          std::string program = HYPERLLM_PROGRAM)
      : folder_(folder), program_(std::move(program)) {
    child_ = ::fork();
    if (child_ == 0) start(arguments);
  }
  ~Program() {
    if (child_ > 0) kill_and_wait();
  }
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  void signal(int number) const { ::kill(child_, number); }
  bool running() {
    int state = 0;
    if (child_ > 0 && ::waitpid(child_, &state, WNOHANG) == child_) set_status(state);
    return child_ > 0;
  }
  void kill_and_wait() {
    ::kill(child_, SIGKILL);
    wait();
  }
  Finished wait() {
    int state = 0;
    if (child_ > 0 && ::waitpid(child_, &state, 0) == child_) set_status(state);
    return {status_, read_file(folder_ / "stdout"), read_file(folder_ / "stderr")};
  }

 private:
  void set_status(int state) {
    status_ = WIFEXITED(state) ? WEXITSTATUS(state) : 128 + WTERMSIG(state);
    child_ = -1;
  }
  [[noreturn]] void start(const std::vector<std::string>& arguments) const {
    if (::chdir(folder_.c_str()) != 0) ::_exit(126);
    ::dup2(::open("stdout", O_WRONLY | O_CREAT | O_TRUNC, 0644), 1);
    ::dup2(::open("stderr", O_WRONLY | O_CREAT | O_TRUNC, 0644), 2);
    std::vector<char*> pointers = {const_cast<char*>(program_.c_str())};
    for (const std::string& argument : arguments) pointers.push_back(const_cast<char*>(argument.c_str()));
    pointers.push_back(nullptr);
    ::execv(program_.c_str(), pointers.data());
    ::_exit(127);
  }
  std::filesystem::path folder_;
  std::string program_;
  pid_t child_ = -1;
  int status_ = 0;
};

inline Finished run(const std::filesystem::path& folder, const std::vector<std::string>& arguments) {
  return Program(folder, arguments).wait();
}

// Relative path -> content of every file below `folder`, those apart that may differ between equal runs:
// times, and what a killed process left unfinished.
inline std::map<std::string, std::string> results(const std::filesystem::path& folder) {
  std::map<std::string, std::string> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    if (!entry.is_regular_file() || name == "timing.json" || name.find(".tmp") != std::string::npos) continue;
    files[std::filesystem::relative(entry.path(), folder).string()] = read_file(entry.path());
  }
  return files;
}

}  // namespace hyperllm::e2e
