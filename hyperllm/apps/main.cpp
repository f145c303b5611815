#include <csignal>
#include <cstdio>
#include <iostream>

#include "hyperllm/apps/cli.h"

int main(int argc, char** argv) {
  // A write beyond a limit on the size of files then fails with a reason, instead of ending the program.
  std::signal(SIGXFSZ, SIG_IGN);
  return hyperllm::apps::run_command({argv + 1, argv + argc}, hyperllm::apps::all_stages(), std::cout,
                                     stderr);
}
