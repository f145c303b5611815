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

TEST_F(Process, NoSuchProgram) { EXPECT_FALSE(run_program({"no-such-program-anywhere"})); }

}  // namespace
}  // namespace hyperllm
