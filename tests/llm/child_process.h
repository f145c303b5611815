// Work in a second process, for tests of what several processes share and of being killed.
#pragma once

#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <exception>
#include <functional>

namespace hyperllm::testing_support {

// Runs `body` in a fork of this process. The child never comes back into the test: there, an exception would
// run the destructors of the test's own objects, and one of a fake server stops the parent's.
inline pid_t in_child(const std::function<void()>& body) {
  const pid_t child = ::fork();
  if (child != 0) return child;
  try {
    body();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "in the child: %s\n", error.what());
    ::_exit(1);
  }
  ::_exit(0);
}

// Waits for the end of `child`; true if its body returned.
inline bool ended_well(pid_t child) {
  int status = 1;
  return ::waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

}  // namespace hyperllm::testing_support
