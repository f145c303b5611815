#include "hyperllm/base/files.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <functional>
#include <set>
#include <sstream>

#include "hyperllm/base/error.h"
#include "hyperllm/base/hash.h"

namespace hyperllm {
namespace {

class Files : public ::testing::Test {
 protected:
  std::filesystem::path folder_ =
      std::filesystem::path(::testing::TempDir()) /
      ("files_" + std::string(::testing::UnitTest::GetInstance()->current_test_info()->name()));
  void SetUp() override {
    std::filesystem::remove_all(folder_);
    make_folder(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  static int status_of(pid_t child) {
    int status = 0;
    EXPECT_EQ(::waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
  static void expect_io(const std::string& path, const std::string& words,
                        const std::function<void()>& call) {
    try {
      call();
      ADD_FAILURE() << path << " was accepted";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kIo);
      for (const std::string& part : {path, words})
        EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what();
    }
  }
  std::size_t entries() const {
    return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(folder_), {}));
  }
};

TEST_F(Files, AbandonedWriteLeavesTheOldContent) {
  write_file(folder_ / "a.txt", "old");
  {
    AtomicFile file(folder_ / "a.txt");
    file.write("new");
  }
  EXPECT_EQ(read_file(folder_ / "a.txt"), "old");
  EXPECT_EQ(entries(), 1u);
  write_file(folder_ / "a.txt", "new");
  EXPECT_EQ(read_file(folder_ / "a.txt"), "new");
}

TEST_F(Files, FullDiskIsAnErrorThatNamesTheFileAndLeavesTheOldOne) {
  const auto target = folder_ / "model.npy";
  write_file(target, "old");
  const pid_t child = ::fork();
  if (child == 0) {
    std::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{1000, 1000};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    try {
      write_file(target, std::string(1 << 20, 'x'));
    } catch (const Error& error) {
      const std::string message = error.what();
      ::_exit(error.code() == ErrorCode::kIo && message.find("model.npy") != message.npos &&
                      message.find("ulimit -f") != message.npos && message.find("untouched") != message.npos
                  ? 7
                  : 1);
    }
    ::_exit(2);
  }
  EXPECT_EQ(status_of(child), 7);
  EXPECT_EQ(read_file(target), "old");
  EXPECT_EQ(entries(), 1u);
}

TEST_F(Files, WhatAKilledWriterLeftIsRemovedAndWhatALivingOneWritesIsNot) {
  const pid_t child = ::fork();
  if (child == 0) {
    new AtomicFile(folder_ / "a.txt");
    new AtomicFile(folder_ / "b.txt");
    ::_exit(0);
  }
  ASSERT_EQ(status_of(child), 0);
  write_file(folder_ / "a.txt.tmp1x", "mine");
  EXPECT_EQ(entries(), 3u);
  AtomicFile alive(folder_ / "a.txt");  // removes one, makes one
  EXPECT_EQ(entries(), 3u);
  write_file(folder_ / "a.txt", "whole");
  EXPECT_EQ(entries(), 4u) << "its own temporary is gone, that of the living writer is not";
  alive.write("later");
  alive.commit();
  EXPECT_EQ(read_file(folder_ / "a.txt"), "later");
  EXPECT_EQ(entries(), 3u);
  EXPECT_TRUE(std::filesystem::exists(folder_ / "a.txt.tmp1x"));
}

// A name that can be guessed, in a folder that others may write to, is a trap.
TEST_F(Files, TemporariesCannotBeGuessedNorFollowed) {
  std::set<std::string> names;
  for (int i = 0; i < 20; ++i) {
    AtomicFile file(folder_ / "a");
    for (const auto& entry : std::filesystem::directory_iterator(folder_)) names.insert(entry.path());
  }
  EXPECT_EQ(names.size(), 20u);
  EXPECT_EQ(names.begin()->find(std::to_string(::getpid()), folder_.string().size()), std::string::npos);
}

TEST_F(Files, ALinkStaysAndItsTargetIsReplacedOrMade) {
  make_folder(folder_ / "elsewhere");
  write_file(folder_ / "elsewhere/real", "old");
  std::filesystem::create_symlink("elsewhere/real", folder_ / "link");
  std::filesystem::create_symlink("link", folder_ / "second");
  write_file(folder_ / "second", "new");
  EXPECT_TRUE(std::filesystem::is_symlink(folder_ / "second"));
  EXPECT_TRUE(std::filesystem::is_symlink(folder_ / "link"));
  EXPECT_EQ(read_file(folder_ / "elsewhere/real"), "new");
  std::filesystem::create_symlink("nowhere/yet", folder_ / "dangling");
  write_file(folder_ / "dangling", "made");
  EXPECT_EQ(read_file(folder_ / "nowhere/yet"), "made");
  std::filesystem::create_symlink("missing/folder", folder_ / "to_folder");
  write_file(folder_ / "to_folder/inside", "made");
  EXPECT_EQ(read_file(folder_ / "missing/folder/inside"), "made");
  std::filesystem::create_symlink("circle", folder_ / "circle");
  expect_io("circle", "leads in a circle", [&] { write_file(folder_ / "circle", "x"); });
}

TEST_F(Files, DevicesAreWrittenToAndStayDevices) {
  std::filesystem::create_symlink("/dev/null", folder_ / "null");
  write_file(folder_ / "null", "gone");
  EXPECT_TRUE(std::filesystem::is_symlink(folder_ / "null"));
  EXPECT_TRUE(std::filesystem::is_character_file("/dev/null"));
  expect_io("/dev/full", "No space left", [] { write_file("/dev/full", "x"); });
  EXPECT_TRUE(std::filesystem::is_character_file("/dev/full"));
  expect_io(folder_.string(), "is a folder", [&] { write_file(folder_, "x"); });
}

TEST_F(Files, PipesAreWrittenToAndStayPipes) {
  ASSERT_EQ(::mkfifo((folder_ / "pipe").c_str(), 0600), 0);
  const pid_t writer = ::fork();
  if (writer == 0) {
    write_file(folder_ / "pipe", std::string(200000, 'x'));
    ::_exit(0);
  }
  std::ifstream pipe(folder_ / "pipe");
  std::stringstream read;
  read << pipe.rdbuf();
  EXPECT_EQ(read.str().size(), 200000u);
  EXPECT_EQ(status_of(writer), 0);
  EXPECT_TRUE(std::filesystem::is_fifo(folder_ / "pipe"));
}

// As a shell does with (echo head; hyperllm ... --output /dev/stdout; echo tail) > all.
TEST_F(Files, OwnDescriptorsGoOnWhereTheyAre) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::dup2(::open((folder_ / "all").c_str(), O_CREAT | O_WRONLY, 0600), 1);
    bool good = ::write(1, "head ", 5) == 5;
    write_file("/dev/stdout", "body ");
    write_file("/proc/self/fd/1", "more ");
    good = good && ::write(1, "tail", 4) == 4;
    ::_exit(good ? 0 : 1);
  }
  EXPECT_EQ(status_of(child), 0);
  EXPECT_EQ(read_file(folder_ / "all"), "head body more tail");
  EXPECT_EQ(entries(), 1u);
}

TEST_F(Files, WhatIsNoRegularFileIsRefusedAsInputBeforeItBlocks) {
  ASSERT_EQ(::mkfifo((folder_ / "pipe").c_str(), 0600), 0);
  for (const std::string& path :
       {(folder_ / "pipe").string(), std::string("/dev/zero"), std::string("/dev/null")}) {
    expect_io(path, "is a pipe or a device", [&] { read_file(path); });
    expect_io(path, "is a pipe or a device", [&] { hash_file(path); });
    expect_io(path, "is a pipe or a device", [&] { require_regular_file(path); });
  }
  expect_io(folder_.string(), "is a folder", [&] { read_file(folder_); });
}

TEST_F(Files, ReadingIsBounded) {
  write_file(folder_ / "a", std::string(1000, 'x'));
  EXPECT_EQ(read_file(folder_ / "a", 1000).size(), 1000u);
  EXPECT_THROW(read_file(folder_ / "a", 999), Error);
  std::filesystem::resize_file(folder_ / "a", 10'000'000'000);  // a hole: no space is used
  EXPECT_THROW(read_file(folder_ / "a"), Error);
}

TEST_F(Files, LogsGrowInPlaceAndRefusePipes) {
  append_file(folder_ / "log", "one\n");
  append_file(folder_ / "log", "two\n");
  EXPECT_EQ(read_file(folder_ / "log"), "one\ntwo\n");
  ::close(open_log(folder_ / "log", false));
  EXPECT_EQ(read_file(folder_ / "log"), "");
  ASSERT_EQ(::mkfifo((folder_ / "pipe").c_str(), 0600), 0);
  expect_io("pipe", "no file that a log", [&] { append_file(folder_ / "pipe", "x"); });
}

TEST_F(Files, MissingFileNamesPathAndReason) {
  try {
    read_file(folder_ / "nothing");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kIo);
    EXPECT_NE(std::string(error.what()).find("No such file"), std::string::npos);
  }
}

TEST_F(Files, HashOfAFileIsTheHashOfItsBytes) {
  const std::string content(200000, 'h');
  write_file(folder_ / "a", content);
  EXPECT_EQ(hash_file(folder_ / "a"), hash_text(content));
  EXPECT_EQ(hash_text("").size(), 32u);
  EXPECT_NE(hash_text("a"), hash_text("b"));
}

}  // namespace
}  // namespace hyperllm
