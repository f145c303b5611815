#include "hyperllm/base/files.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>

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

TEST_F(Files, FullDiskIsAnErrorThatNamesTheFile) {
  if (!std::filesystem::exists("/dev/full")) GTEST_SKIP() << "no /dev/full here";
  // The temporary is a link to a device without space, which is what a full disk looks like to the writer.
  const auto target = folder_ / "model.npy";
  std::filesystem::create_symlink("/dev/full", target.string() + ".tmp" + std::to_string(::getpid()));
  try {
    write_file(target, std::string(1 << 20, 'x'));
    FAIL() << "a full disk went unnoticed";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kIo);
    EXPECT_NE(std::string(error.what()).find("model.npy"), std::string::npos);
    EXPECT_NE(std::string(error.what()).find("No space left"), std::string::npos);
  }
  EXPECT_FALSE(std::filesystem::exists(target));
}

TEST_F(Files, WhatAKilledWriterLeftIsRemovedAndWhatALivingOneWritesIsNot) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(0);
  ASSERT_EQ(::waitpid(child, nullptr, 0), child);
  const std::string dead = ".tmp" + std::to_string(child), alive = ".tmp" + std::to_string(::getppid());
  for (const std::string& name :
       {"a.txt" + dead, "a.txt" + alive, "b.txt" + dead, std::string("a.txt.tmp1x")})
    write_file(folder_ / name, "half");
  write_file(folder_ / "a.txt", "whole");
  EXPECT_FALSE(std::filesystem::exists(folder_ / ("a.txt" + dead)));
  for (const std::string& name : {"a.txt" + alive, "b.txt" + dead, std::string("a.txt.tmp1x")})
    EXPECT_TRUE(std::filesystem::exists(folder_ / name)) << name;
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
