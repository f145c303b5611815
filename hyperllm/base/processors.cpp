#include "hyperllm/base/processors.h"

#include <sched.h>

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <optional>
#include <thread>

#include "hyperllm/base/control_groups.h"

namespace hyperllm {
namespace {

namespace fs = std::filesystem;

int allowed_by_affinity() {
  cpu_set_t set;
  if (::sched_getaffinity(0, sizeof set, &set) == 0) return CPU_COUNT(&set);
  return static_cast<int>(std::thread::hardware_concurrency());  // more processors than the set has room for
}

}  // namespace

int available_processors(const fs::path& root) {
  std::int64_t least = std::max(1, allowed_by_affinity());
  for (const fs::path& folder : control_groups(root, "cpu")) {
    std::int64_t quota = 0, period = 0;  // microseconds of processor time in each period
    if (std::ifstream file(folder / "cpu.max"); !(file >> quota >> period)) {
      quota = number_in(folder / "cpu.cfs_quota_us").value_or(0);
      period = number_in(folder / "cpu.cfs_period_us").value_or(0);
    }
    if (quota > 0 && period > 0) least = std::min(least, (quota + period - 1) / period);
  }
  return static_cast<int>(std::max<std::int64_t>(1, least));
}

}  // namespace hyperllm
