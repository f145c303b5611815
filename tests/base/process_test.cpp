#include "hyperllm/base/process.h"

#include "tests/support/folder.h"

namespace hyperllm {
namespace {

class Process : public test::FolderTest {};

TEST_F(Process, StatusComplaintsAndFolder) {
  const auto ended = run_program({"sh", "-c", "pwd > here; echo no >&2; echo dropped; exit 3"}, folder_);
  ASSERT_TRUE(ended);
  EXPECT_EQ(ended->status, 3);
  EXPECT_EQ(ended->complaints, "no\n");
  EXPECT_EQ(read_file(folder_ / "here"), std::filesystem::canonical(folder_).string() + "\n");
  EXPECT_EQ(run_program({"sh", "-c", "kill -9 $$"})->status, 128 + 9);
  EXPECT_EQ(run_program({"sh", "-c", "cat; exit 0"})->status, 0) << "its input is empty";
}

TEST_F(Process, ProgramsAreFoundInTheFirstFolderThatMayRunThem) {
  namespace fs = std::filesystem;
  for (const char* folder : {"plain", "runs"}) {
    fs::create_directories(folder_ / folder);
    write_file(folder_ / folder / "tool", "#!/bin/sh\n");
  }
  fs::create_directories(folder_ / "folder" / "tool");
  fs::permissions(folder_ / "runs/tool", fs::perms::owner_exec, fs::perm_options::add);
  EXPECT_EQ(find_program("tool", {folder_ / "folder", folder_ / "plain", folder_ / "runs"}),
            folder_ / "runs/tool");
  EXPECT_EQ(find_program("tool", {folder_ / "plain"}), "");
  EXPECT_EQ(find_program("sh").filename(), "sh");
}

TEST_F(Process, WordsOfTheShellComeBackFromIt) {
  for (const std::string text : {"a/b-c_1.csv", "it's here", "", "$(exit 9) `x` \\ \"", "*"}) {
    ASSERT_EQ(run_program({"sh", "-c", "printf %s " + shell_word(text) + " > said"}, folder_)->status, 0);
    EXPECT_EQ(read_file(folder_ / "said"), text);
  }
  EXPECT_EQ(shell_word("a/b-c_1.csv"), "a/b-c_1.csv") << "no quotes where none are needed";
}

TEST_F(Process, NoSuchProgram) { EXPECT_FALSE(run_program({"no-such-program-anywhere"})); }

}  // namespace
}  // namespace hyperllm
