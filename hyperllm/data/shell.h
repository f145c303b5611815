// Words of shell commands, for remedies that work as printed.
#pragma once

#include <filesystem>
#include <string>

namespace hyperllm::data {

// The command that prints the text of a file, or of a member of an archive, unpacked: "zcat r.csv.gz". Throws
// as open_bytes.
std::string text_command(const std::filesystem::path& path);

}  // namespace hyperllm::data
