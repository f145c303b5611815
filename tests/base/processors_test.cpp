#include "hyperllm/base/processors.h"

#include <gtest/gtest.h>
#include <sched.h>

#include <algorithm>
#include <cstddef>

#include "tests/support/folder.h"

namespace hyperllm {
namespace {

// Of a folder that stands for "/": control groups in it, the affinity mask of the machine.
class Processors : public test::FolderTest {
 protected:
  int available() const { return available_processors(folder_); }
  const int all_ = available_processors(folder_);
};

TEST_F(Processors, TheQuotaOfAnyGroupAboveCounts) {
  EXPECT_GE(all_, 1);
  put("proc/self/cgroup", "0::/a/b\n");
  EXPECT_EQ(available(), all_);
  put("sys/fs/cgroup/a/b/cpu.max", "max 100000\n");
  EXPECT_EQ(available(), all_);
  put("sys/fs/cgroup/a/b/cpu.max", "6400000000 100000\n");
  EXPECT_EQ(available(), all_);
  put("sys/fs/cgroup/a/cpu.max", "20000 100000\n");
  EXPECT_EQ(available(), 1);
  put("sys/fs/cgroup/a/cpu.max", "110000 100000\n");
  EXPECT_EQ(available(), std::min(2, all_));
}

TEST_F(Processors, VersionOneToo) {
  put("proc/self/cgroup", "4:cpu,cpuacct:/host/c\n3:memory:/host/c\n0::/host/c\n");
  put("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "-1\n");
  put("sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(available(), all_);
  put("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "50000\n");
  EXPECT_EQ(available(), 1);
}

TEST_F(Processors, FilesOfNonsenseSetNoBound) {
  put("proc/self/cgroup", "0::/\nno colons\n7:cpu\n");
  for (const char* text : {"", "x", "100000", "0 0", "100000 -1", "99999999999999999999 1"}) {
    put("sys/fs/cgroup/cpu.max", text);
    EXPECT_EQ(available(), all_) << text;
  }
}

TEST_F(Processors, TheAffinityMaskCounts) {
  cpu_set_t before, first;
  ASSERT_EQ(::sched_getaffinity(0, sizeof before, &before), 0);
  CPU_ZERO(&first);
  std::size_t processor = 0;
  while (!CPU_ISSET(processor, &before)) ++processor;
  CPU_SET(processor, &first);
  ASSERT_EQ(::sched_setaffinity(0, sizeof first, &first), 0);
  EXPECT_EQ(available(), 1);
  ASSERT_EQ(::sched_setaffinity(0, sizeof before, &before), 0);
  EXPECT_EQ(available(), all_);
}

}  // namespace
}  // namespace hyperllm
