#include "hyperllm/base/lock.h"

#include <sys/wait.h>

#include "tests/support/folder.h"

namespace hyperllm {
namespace {

namespace fs = std::filesystem;

class Locks : public test::FolderTest {};

TEST_F(Locks, ASecondWriterIsRefusedAndToldWhoIsAtWork) {
  {
    const FolderLock lock(folder_);
    test::expect_error(ErrorCode::kUnavailable,
                       {folder_.string(), "another process is writing",
                        "process " + std::to_string(::getpid()), "UTC", "base_test", "Wait until it ends"},
                       [&] { FolderLock second(folder_); });
    remove_leftover_lock(folder_);
    EXPECT_TRUE(fs::exists(folder_ / ".hyperllm.lock"));
  }
  EXPECT_FALSE(fs::exists(folder_ / ".hyperllm.lock"));
  const FolderLock again(folder_);
}

TEST_F(Locks, AKilledHolderIsNoObstacle) {
  const pid_t child = ::fork();
  if (child == 0) {
    new FolderLock(folder_);
    ::_exit(0);
  }
  ASSERT_EQ(::waitpid(child, nullptr, 0), child);
  EXPECT_TRUE(fs::exists(folder_ / ".hyperllm.lock"));
  { const FolderLock lock(folder_); }
  EXPECT_FALSE(fs::exists(folder_ / ".hyperllm.lock"));
}

TEST_F(Locks, AFolderThatStayedEmptyIsRemovedAgain) {
  { const FolderLock lock(folder_ / "new/deep"); }
  EXPECT_FALSE(fs::exists(folder_ / "new"));
  {
    const FolderLock lock(folder_ / "new/deep");
    put("new/deep/file", "x");
  }
  EXPECT_TRUE(fs::exists(folder_ / "new/deep/file"));
}

TEST_F(Locks, WhetherOneIsHeldIsTellableAndWhatAKilledOneLeftCanGo) {
  const fs::path file = folder_ / "worker.lock";
  EXPECT_FALSE(is_held(file));
  EXPECT_FALSE(fs::exists(file)) << "asking makes none";
  {
    const FileLock lock(file, "taken", "wait");
    EXPECT_TRUE(is_held(file));
    remove_leftover(file);
    EXPECT_TRUE(is_held(file)) << "its holder lives";
  }
  put("worker.lock", "of a killed process");
  EXPECT_FALSE(is_held(file));
  remove_leftover(file);
  EXPECT_FALSE(fs::exists(file));
}

}  // namespace
}  // namespace hyperllm
