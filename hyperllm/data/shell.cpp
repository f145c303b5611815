#include "hyperllm/data/shell.h"

#include "hyperllm/data/bytes.h"

namespace hyperllm::data {
namespace {

std::string shell_word(const std::string& text) {
  constexpr const char* kPlain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-";
  if (text.find_first_not_of(kPlain) == text.npos) return text;
  std::string result = "'";
  for (const char letter : text) result += letter == '\'' ? std::string("'\\''") : std::string(1, letter);
  return result + "'";
}

}  // namespace

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
