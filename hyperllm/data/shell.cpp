#include "hyperllm/data/shell.h"

#include "hyperllm/base/process.h"
#include "hyperllm/data/bytes.h"

namespace hyperllm::data {

std::string text_command(const std::filesystem::path& path) {
  if (const std::filesystem::path archive = stored_file(path); archive != path)
    return "unzip -p " + shell_word(archive.string()) + " " +
           shell_word(path.string().substr(archive.string().size() + 1));
  const std::string packing = open_bytes(path, "").packing;
  const char* const program = packing == "gzip"    ? "zcat "
                              : packing == "bzip2" ? "bzcat "
                              : packing == "xz"    ? "xzcat "
                              : packing == "zstd"  ? "zstdcat "
                              : packing == "zip"   ? "unzip -p "
                                                   : "cat ";
  return program + shell_word(path.string());
}

}  // namespace hyperllm::data
