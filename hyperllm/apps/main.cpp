#include <cstdio>
#include <iostream>

#include "hyperllm/apps/cli.h"

int main(int argc, char** argv) {
  return hyperllm::apps::run_command({argv + 1, argv + argc}, hyperllm::apps::all_stages(), std::cout,
                                     stderr);
}
