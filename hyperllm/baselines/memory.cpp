#include "hyperllm/baselines/memory.h"

#include <algorithm>
#include <fstream>
#include <limits>
#include <string>

namespace hyperllm::baselines {
namespace {

constexpr std::int64_t kUnknown = std::numeric_limits<std::int64_t>::max();

std::int64_t system_available() {
  std::ifstream file("/proc/meminfo");
  std::string key, unit;
  for (std::int64_t kib = 0; file >> key >> kib; std::getline(file, unit))
    if (key == "MemAvailable:") return kib * 1024;
  return kUnknown;
}

// "max" (no limit) does not parse as a number, which is what we want.
std::int64_t number_in(const char* path) {
  std::ifstream file(path);
  std::int64_t value = 0;
  return file >> value ? value : kUnknown;
}

std::int64_t group_available() {
  const std::int64_t limit = number_in("/sys/fs/cgroup/memory.max");
  const std::int64_t used = number_in("/sys/fs/cgroup/memory.current");
  if (limit == kUnknown || used == kUnknown) return kUnknown;
  return std::max<std::int64_t>(limit - used, 0);
}

}  // namespace

std::int64_t available_memory() {
  const std::int64_t bytes = std::min(system_available(), group_available());
  return bytes == kUnknown ? 0 : bytes;
}

}  // namespace hyperllm::baselines
