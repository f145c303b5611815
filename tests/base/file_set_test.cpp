#include "hyperllm/base/file_set.h"

#include <sys/wait.h>

#include <map>

#include "tests/support/folder.h"

namespace hyperllm {
namespace {

namespace fs = std::filesystem;
using Content = std::map<std::string, std::string>;

int steps_left = 0;
bool kills = false;

void count_down(const char* step, const fs::path& path) {
  if (--steps_left >= 0) return;
  if (kills) ::_exit(9);
  throw Error(ErrorCode::kIo, path.string() + ": cannot " + step + ": as a test wants it");
}

class FileSets : public test::FolderTest {
 protected:
  void TearDown() override {
    set_file_step_hook(nullptr);
    FolderTest::TearDown();
  }
  // What a reader finds: everything but temporaries of dead writers.
  Content content() const {
    finish_commit(folder_);
    Content found;
    for (const auto& entry : fs::recursive_directory_iterator(folder_)) {
      const std::string name = fs::relative(entry.path(), folder_).string();
      if (entry.is_regular_file() && name.find(".tmp") == name.npos) found[name] = read_file(entry.path());
    }
    return found;
  }
  void write(const std::string& text) const {
    FileSet files(folder_);
    for (const char* name : {"a", "b", "sub/c"}) files.add(name).write(text);
    if (text == "new") files.remove("gone");
    files.commit();
  }
  void start() const {
    fs::remove_all(folder_);
    write("old");
    put("gone", "old");
  }
  Content before() const { return {{"a", "old"}, {"b", "old"}, {"sub/c", "old"}, {"gone", "old"}}; }
  Content after() const { return {{"a", "new"}, {"b", "new"}, {"sub/c", "new"}}; }
  std::size_t temporaries() const {
    std::size_t count = 0;
    for (const auto& entry : fs::recursive_directory_iterator(folder_))
      count += entry.path().filename().string().find(".tmp") != std::string::npos;
    return count;
  }
};

TEST_F(FileSets, AreAllOldOrAllNewWhereverTheWriterIsKilled) {
  int old_ones = 0, new_ones = 0, status = 0;
  for (int step = 0;; ++step) {
    start();
    const pid_t child = ::fork();
    if (child == 0) {
      kills = true;
      steps_left = step;
      set_file_step_hook(count_down);
      write("new");
      ::_exit(0);
    }
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    const Content found = content();
    EXPECT_TRUE(found == before() || found == after()) << "killed at step " << step;
    (found == before() ? old_ones : new_ones) += 1;
    write("new");
    EXPECT_EQ(content(), after());
    EXPECT_EQ(temporaries(), 0u) << "killed at step " << step;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) break;
  }
  EXPECT_GT(old_ones, 5);
  EXPECT_GT(new_ones, 5);
}

TEST_F(FileSets, AreAllOldOrAllNewWhateverFails) {
  for (int step = 0;; ++step) {
    start();
    steps_left = step;
    set_file_step_hook(count_down);
    bool failed = false;
    try {
      write("new");
    } catch (const Error&) {
      failed = true;
    }
    set_file_step_hook(nullptr);
    const Content found = content();
    EXPECT_TRUE(found == before() || found == after()) << "failed at step " << step;
    EXPECT_EQ(temporaries(), 0u) << "failed at step " << step;
    if (failed) continue;
    EXPECT_EQ(found, after());
    break;
  }
}

// Each step of the one who finishes the work may be its last, too.
TEST_F(FileSets, FinishingMayBeKilledAsWell) {
  const auto run_until = [&](int step, const std::function<void()>& work) {
    const pid_t child = ::fork();
    if (child == 0) {
      kills = true;
      steps_left = step;
      set_file_step_hook(count_down);
      work();
      ::_exit(0);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
  };
  for (int step = 0, done = 0; !done; ++step) {
    start();
    int first = 0;
    while (!fs::exists(folder_ / ".hyperllm.commit")) run_until(++first, [&] { write("new"); });
    done = run_until(step, [&] { finish_commit(folder_); });
    EXPECT_EQ(content(), after()) << step;
  }
}

TEST_F(FileSets, WithoutCommitNothingChanges) {
  start();
  {
    FileSet files(folder_);
    files.add("a").write("new");
    files.remove("gone");
  }
  EXPECT_EQ(content(), before());
  EXPECT_EQ(temporaries(), 0u);
}

TEST_F(FileSets, LinksAndDevicesStay) {
  fs::create_symlink("/dev/null", folder_ / "a");
  put("real/b", "old");
  fs::create_symlink("real/b", folder_ / "b");
  write("new");
  EXPECT_EQ(fs::read_symlink(folder_ / "a"), "/dev/null");
  EXPECT_EQ(fs::read_symlink(folder_ / "b"), "real/b");
  EXPECT_EQ(read_file(folder_ / "real/b"), "new");
}

TEST_F(FileSets, AListThatIsNotOursIsRefusedAndMovesNothing) {
  put("victim", "mine");
  const std::string nul(1, '\0');
  for (const std::string& text :
       {std::string("nonsense"), "-------- ../victim" + nul, "-------- /etc/victim" + nul,
        "-------- victim" + nul + "rest", "a/b/c/d/ victim" + nul}) {
    put("set/.hyperllm.commit", text);
    test::expect_error(ErrorCode::kInvalidData, {".hyperllm.commit", "Remove it"},
                       [&] { finish_commit(folder_ / "set"); });
  }
  EXPECT_TRUE(fs::exists(folder_ / "victim"));
}

}  // namespace
}  // namespace hyperllm
