#include "hyperllm/base/memory.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <limits>
#include <optional>
#include <sstream>
#include <string>

namespace hyperllm {
namespace {

namespace fs = std::filesystem;

// The number after `key` in a file of lines "key number ...".
std::optional<std::int64_t> entry(const fs::path& path, const std::string& key) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    std::string name;
    std::int64_t value = 0;
    if (words >> name && name == key && words >> value) return value;
  }
  return {};
}

// The number that a file holds; nothing for "max".
std::optional<std::int64_t> number(const fs::path& path) {
  std::ifstream file(path);
  std::int64_t value = 0;
  if (file >> value) return value;
  return {};
}

struct Names {
  const char *limit, *usage, *cache;
};
constexpr Names kVersion1{"memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"};
constexpr Names kVersion2{"memory.max", "memory.current", "inactive_file"};

// The room under the limits of `group` and of all groups above it, up to the mount point.
std::int64_t room(const fs::path& mount, fs::path group, const Names& names) {
  std::int64_t least = std::numeric_limits<std::int64_t>::max();
  while (true) {
    const fs::path folder = mount / group.relative_path();
    const auto limit = number(folder / names.limit), usage = number(folder / names.usage);
    if (limit && usage) {
      const std::int64_t cache = entry(folder / "memory.stat", names.cache).value_or(0);
      least = std::min(least, *limit - (*usage - std::min(cache, *usage)));
    }
    if (group.relative_path().empty()) return std::max<std::int64_t>(least, 0);
    group = group.parent_path();
  }
}

std::int64_t own_status(const char* key) { return entry("/proc/self/status", key).value_or(0) * 1024; }

}  // namespace

std::int64_t peak_memory() { return own_status("VmHWM:"); }
std::int64_t resident_memory() { return own_status("VmRSS:"); }

void release_file_pages() {
  struct Mapping {
    unsigned long first, last, inode;
    unsigned long own;  // kB of pages that are not the file's
    char permissions[5];
  } mapping = {}, read = {};
  std::ifstream file("/proc/self/smaps");
  for (std::string line; std::getline(file, line);) {
    // A mapping is a line with its range, then lines of figures.
    if (std::sscanf(line.c_str(), "%lx-%lx %4s %*s %*s %lu", &read.first, &read.last, read.permissions,
                    &read.inode) == 4)
      mapping = read;
    std::sscanf(line.c_str(), "Anonymous: %lu", &mapping.own);
    unsigned long swapped = 0;  // comes after what is still resident
    if (std::sscanf(line.c_str(), "Swap: %lu", &swapped) != 1) continue;
    const bool only_read = mapping.permissions[1] == '-' && mapping.permissions[3] == 'p';
    if (mapping.inode != 0 && only_read && mapping.own + swapped == 0)
      madvise(reinterpret_cast<void*>(mapping.first), mapping.last - mapping.first, MADV_DONTNEED);
    mapping = {};
  }
}

std::int64_t available_memory(const fs::path& root) {
  constexpr std::int64_t kUnknown = std::numeric_limits<std::int64_t>::max();
  std::int64_t least = kUnknown;
  if (const auto free = entry(root / "proc/meminfo", "MemAvailable:")) least = *free * 1024;
  std::ifstream groups(root / "proc/self/cgroup");
  for (std::string line; std::getline(groups, line);) {  // hierarchy:controllers:group
    const std::size_t first = line.find(':'), second = line.find(':', first + 1);
    if (first == line.npos || second == line.npos) continue;
    const std::string controllers = "," + line.substr(first + 1, second - first - 1) + ",";
    const fs::path group = line.substr(second + 1);
    if (controllers == ",,") least = std::min(least, room(root / "sys/fs/cgroup", group, kVersion2));
    if (controllers.find(",memory,") != controllers.npos)
      least = std::min(least, room(root / "sys/fs/cgroup/memory", group, kVersion1));
  }
  return least == kUnknown ? -1 : least;
}

std::int64_t unpacked_limit(std::int64_t stored) {
  constexpr std::int64_t kFree = 64 << 20, kRatio = 32;
  const std::int64_t available = available_memory();
  const std::int64_t most = stored > (std::numeric_limits<std::int64_t>::max() - kFree) / kRatio
                                ? std::numeric_limits<std::int64_t>::max()
                                : kFree + kRatio * stored;
  return available < 0 ? most : std::min(most, available);
}

}  // namespace hyperllm
