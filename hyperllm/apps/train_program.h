// The second program, `hyperllm-train`: the same command line with the stages that need LibTorch, whose
// libraries alone take half a second to load. `hyperllm` becomes it when one of them is wanted.
#pragma once

#include <string>
#include <vector>

namespace hyperllm::apps {

// Replaces this process by hyperllm-train with these arguments: the same terminal, signals and exit status.
// Looks for it beside this program, in ../libexec/hyperllm from there, then on PATH. Returns only by throwing
// kUnavailable, which says what to install: there is no such program, or libraries of its are missing.
// `wanted`: what needs it, as the message has it.
[[noreturn]] void become_train_program(const std::vector<std::string>& arguments, const std::string& wanted);

}  // namespace hyperllm::apps
