#include "hyperllm/base/memory.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <optional>
#include <sstream>
#include <string>

#include "hyperllm/base/control_groups.h"

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

// The room under the limit of one group, whose files have these names.
std::optional<std::int64_t> room(const fs::path& group, const char* limit, const char* usage,
                                 const char* cache) {
  const auto most = number_in(group / limit), used = number_in(group / usage);
  if (!most || !used) return {};
  return *most - (*used - std::min(entry(group / "memory.stat", cache).value_or(0), *used));
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
  std::optional<std::int64_t> least;
  const auto take = [&](std::optional<std::int64_t> bytes) {
    if (bytes) least = std::min(least.value_or(*bytes), std::max<std::int64_t>(*bytes, 0));
  };
  if (const auto free = entry(root / "proc/meminfo", "MemAvailable:")) take(*free * 1024);
  for (const fs::path& group : control_groups(root, "memory")) {
    take(room(group, "memory.max", "memory.current", "inactive_file"));
    take(room(group, "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"));
  }
  return least.value_or(-1);
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
