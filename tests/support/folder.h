// A folder of its own for each test, and the check that an error says what it should.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <initializer_list>
#include <string>

#include "hyperllm/base/error.h"
#include "hyperllm/base/files.h"

namespace hyperllm::test {

class FolderTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto* info = ::testing::UnitTest::GetInstance()->current_test_info();
    std::string name =
        std::string(info->test_suite_name()) + "_" + info->name() + "_" + std::to_string(::getpid());
    for (char& letter : name)
      if (letter == '/') letter = '_';
    folder_ = std::filesystem::path(::testing::TempDir()) / name;
    std::filesystem::remove_all(folder_);
    make_folder(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::filesystem::path put(const std::string& name, std::string_view content) const {
    const std::filesystem::path path = folder_ / name;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary) << content;  // write_file would sync: too slow for thousands
    return path;
  }

  std::filesystem::path folder_;
};

// Runs `call`, which must throw an Error of `code` whose message holds every one of `parts`.
inline void expect_error(ErrorCode code, std::initializer_list<std::string_view> parts,
                         const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), code) << error.what();
    for (const std::string_view part : parts)
      EXPECT_NE(std::string_view(error.what()).find(part), std::string_view::npos)
          << "'" << part << "' is missing in: " << error.what();
    return;
  }
  ADD_FAILURE() << "no error was thrown";
}

// The folder of the data that is not part of the project; empty if it is not here.
inline std::filesystem::path beauty_folder() {
  const char* set = std::getenv("HYPERLLM_DATA");
  const std::filesystem::path data = set ? set : HYPERLLM_SOURCE_DIR "/../shared/data";
  return std::filesystem::exists(data / "amazon-beauty/train_matrix.npz") ? data / "amazon-beauty" : "";
}

}  // namespace hyperllm::test
