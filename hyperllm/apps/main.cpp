#include "hyperllm/apps/cli.h"

int main(int argc, char** argv) {
  return hyperllm::apps::run_program(argc, argv, hyperllm::apps::core_stages());
}
