#include "hyperllm/apps/train_program.h"

#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <memory>

#include "hyperllm/base/error.h"
#include "hyperllm/base/process.h"

namespace hyperllm::apps {
namespace {

namespace fs = std::filesystem;

constexpr const char* kName = "hyperllm-train";

fs::path train_program() {
  std::error_code ignored;
  const fs::path own = fs::read_symlink("/proc/self/exe", ignored).parent_path();
  return own.empty() ? find_program(kName)
                     : find_program(kName, {own, own.parent_path() / "libexec/hyperllm"});
}

// Asked in advance: once the process is the other program, the dynamic loader's message would be the last
// word. The loader lists what it would load in 20 ms, without loading it.
std::string missing_libraries(const fs::path& program) {
  const std::string command = "LD_TRACE_LOADED_OBJECTS=1 " + shell_word(program.string()) + " 2>/dev/null";
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> lines(::popen(command.c_str(), "r"), ::pclose);
  std::string missing;
  std::array<char, 4096> line{};
  while (lines && std::fgets(line.data(), line.size(), lines.get())) {
    const std::string text = line.data();
    const std::size_t name = text.find_first_not_of(" \t"), end = text.find(" => not found");
    if (end != std::string::npos) missing += (missing.empty() ? "" : ", ") + text.substr(name, end - name);
  }
  return missing;
}

}  // namespace

void become_train_program(const std::vector<std::string>& arguments, const std::string& wanted) {
  const auto needs = [&](const std::string& what) {
    return Error(ErrorCode::kUnavailable, wanted + " needs " + what);
  };
  const fs::path program = train_program();
  if (program.empty())
    throw needs(
        std::string("the program ") + kName +
        ", which is neither beside hyperllm, nor in ../libexec/hyperllm, nor on PATH. Install the package "
        "hyperllm-train; or, from source: apt-get install libtorch-dev, then cmake --preset release && cmake "
        "--build --preset release.");
  if (const std::string missing = missing_libraries(program); !missing.empty())
    throw needs("libraries that " + program.string() + " does not find: " + missing +
                ". LibTorch comes with: apt-get install libtorch-dev.");
  std::vector<char*> pointers = {const_cast<char*>(kName)};
  for (const std::string& argument : arguments) pointers.push_back(const_cast<char*>(argument.c_str()));
  pointers.push_back(nullptr);
  ::execv(program.c_str(), pointers.data());
  throw needs(program.string() + ", which cannot be started: " + std::strerror(errno) + ".");
}

}  // namespace hyperllm::apps
