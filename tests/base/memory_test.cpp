#include "hyperllm/base/memory.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <string>
#include <string_view>
#include <vector>

#include "tests/support/folder.h"

namespace hyperllm {
namespace {

class Memory : public test::FolderTest {};

TEST_F(Memory, TheSmallestOfMachineAndGroupsCounts) {
  EXPECT_EQ(available_memory(folder_), -1);
  put("proc/meminfo", "MemTotal:  9000 kB\nMemAvailable:    4000 kB\n");
  EXPECT_EQ(available_memory(folder_), 4000 * 1024);
  put("proc/self/cgroup", "0::/a/b\n");
  put("sys/fs/cgroup/a/b/memory.max", "max\n");
  put("sys/fs/cgroup/a/b/memory.current", "100\n");
  EXPECT_EQ(available_memory(folder_), 4000 * 1024);
  put("sys/fs/cgroup/a/memory.max", "1000000\n");
  put("sys/fs/cgroup/a/memory.current", "300000\n");
  put("sys/fs/cgroup/a/memory.stat", "anon 1\ninactive_file 200000\n");
  EXPECT_EQ(available_memory(folder_), 900000);
  put("proc/self/cgroup", "4:cpu,memory:/c\n0::/a/b\n");
  put("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
  put("sys/fs/cgroup/memory/memory.usage_in_bytes", "1\n");
  put("sys/fs/cgroup/memory/c/memory.limit_in_bytes", "500000\n");
  put("sys/fs/cgroup/memory/c/memory.usage_in_bytes", "100000\n");
  EXPECT_EQ(available_memory(folder_), 400000);
  put("sys/fs/cgroup/memory/c/memory.usage_in_bytes", "600000\n");
  EXPECT_EQ(available_memory(folder_), 0);
}

TEST_F(Memory, ThePeakKnowsWhatWasTouched) {
  const std::int64_t before = peak_memory();
  {
    std::vector<char> touched(64 << 20, 1);
    EXPECT_GE(resident_memory(), std::int64_t{64} << 20);
    EXPECT_EQ(touched.back(), 1);
  }
  EXPECT_GE(peak_memory(), std::int64_t{64} << 20);
  EXPECT_GE(peak_memory(), before);
}

TEST_F(Memory, ReleasedFilePagesComeBackAsTheyWere) {
  const std::string text(8 << 20, 'x');
  write_file(folder_ / "file", text);
  const int file = ::open((folder_ / "file").c_str(), O_RDONLY);
  const auto map = [&](int protection) {
    return static_cast<char*>(::mmap(nullptr, text.size(), protection, MAP_PRIVATE, file, 0));
  };
  char* const read_only = map(PROT_READ);
  char* const changed = map(PROT_READ | PROT_WRITE);
  ASSERT_EQ(std::string_view(read_only, text.size()), text);
  changed[0] = 'y';
  ::mprotect(changed, text.size(), PROT_READ);  // as the loader leaves relocated pages
  const std::int64_t before = resident_memory();
  release_file_pages();
  EXPECT_LE(resident_memory(), before - (8 << 20));
  EXPECT_EQ(std::string_view(read_only, text.size()), text);
  EXPECT_EQ(changed[0], 'y');
  ::munmap(read_only, text.size());
  ::munmap(changed, text.size());
  ::close(file);
}

}  // namespace
}  // namespace hyperllm
