// Other programs: found, named in a command, run to their end.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace hyperllm {

struct Ended {
  int status = 0;          // its exit status; 128 + the signal that ended it
  std::string complaints;  // the first 4 KiB of its standard error
};

// Runs command[0], looked for in PATH, in `folder` (empty: this one) without a shell; it reads nothing, and
// what it prints is dropped. None if there is no such program.
std::optional<Ended> run_program(const std::vector<std::string>& command,
                                 const std::filesystem::path& folder = {});

// The first file called `name` that may be run: in `first`, then in the folders of PATH. Empty if there is none.
std::filesystem::path find_program(const std::string& name, std::vector<std::filesystem::path> first = {});

// The text as one word of a POSIX shell, in quotes where it needs them: what is printed can be pasted.
std::string shell_word(const std::string& text);

}  // namespace hyperllm
