// The kernel's control groups, which bound what a container or a job may use.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace hyperllm {

// Folders of the groups whose limits by `controller` ("memory", "cpu") hold for this process: its own and all
// above it up to the mount point, of version 1 and of version 2, whose files have different names. Folders need
// not exist: a container sees the path of its host. `root` stands in for "/" in tests.
std::vector<std::filesystem::path> control_groups(const std::filesystem::path& root,
                                                  const std::string& controller);

// The number that a file begins with; nothing for "max" and for a file that is not there.
std::optional<std::int64_t> number_in(const std::filesystem::path& file);

}  // namespace hyperllm
