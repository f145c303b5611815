// The `hyperllm` command as a function, so that tests can call it with stages of their own.
#pragma once

#include <cstdio>
#include <iosfwd>
#include <string>
#include <vector>

#include "hyperllm/apps/stage.h"

namespace hyperllm::apps {

// Parses `arguments` (without the program's name), runs one subcommand and returns the exit status: 0, or
// exit_status of the error's code, whose message goes to `errors` as "hyperllm: error: ...". Results go to
// `out`. Throws nothing. What needs a stage without `make`, a recipe that trains included, becomes
// hyperllm-train (train_program.h).
int run_command(const std::vector<std::string>& arguments, const std::vector<Stage>& stages,
                std::ostream& out, std::FILE* errors);

// The same as the body of main: standard output and standard error.
int run_program(int argc, char** argv, const std::vector<Stage>& stages);

}  // namespace hyperllm::apps
