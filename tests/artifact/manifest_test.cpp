#include "hyperllm/artifact/manifest.h"

#include <gtest/gtest.h>

#include "hyperllm/base/error.h"
#include "hyperllm/base/files.h"
#include "hyperllm/base/hash.h"

namespace hyperllm::artifact {
namespace {

class ManifestTest : public ::testing::Test {
 protected:
  struct Options {
    std::int64_t epochs = 3;
    std::string kind = "a";
    FieldList fields() { return {{"epochs", &epochs, ""}, {"kind", &kind, ""}}; }
  } options_;
  std::filesystem::path folder_ =
      std::filesystem::path(::testing::TempDir()) /
      ("manifest_" + std::string(::testing::UnitTest::GetInstance()->current_test_info()->name()));
  std::filesystem::path input_ = folder_ / "in.csv";
  std::filesystem::path output_ = folder_ / "out.npy";
  std::filesystem::path path_ = folder_ / "manifest.json";

  void SetUp() override {
    std::filesystem::remove_all(folder_);
    write_file(input_, "1,2,3\n");
    write_file(output_, "result");
    save_manifest(make_manifest("train", options_.fields(), {input_}, {output_}), path_);
    ASSERT_TRUE(current());
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  bool current(const std::string& stage = "train") {
    return up_to_date(make_manifest(stage, options_.fields(), {input_}, {output_}), path_);
  }
};

TEST_F(ManifestTest, ChangedOptionIsNotUpToDate) {
  options_.epochs = 4;
  EXPECT_FALSE(current());
}

TEST_F(ManifestTest, AnotherStageIsNotUpToDate) { EXPECT_FALSE(current("evaluate")); }

TEST_F(ManifestTest, ChangedInputByteIsNotUpToDate) {
  write_file(input_, "1,2,4\n");
  EXPECT_FALSE(current());
  write_file(input_, "1,2,3\n");
  EXPECT_TRUE(current());
}

TEST_F(ManifestTest, ResultsOfOtherDataAreRefused) {
  require_made_from(path_, {input_});
  require_made_from(path_, {folder_ / "unknown.csv"});
  require_made_from(folder_ / "none.json", {input_});
  write_file(folder_ / "elsewhere/in.csv", "1,2,3\n");
  require_made_from(path_, {folder_ / "elsewhere/in.csv"});
  write_file(folder_ / "elsewhere/in.csv", "1,2,4\n");
  try {
    require_made_from(path_, {folder_ / "elsewhere/in.csv"});
    FAIL() << "other data went unnoticed";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInvalidData);
    for (const char* part : {"manifest.json", "in.csv has changed", "Run `hyperllm train` again"})
      EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what();
  }
  for (const char* text : {"", "{", "[]", "{\"inputs\": 3}", "{\"inputs\": {\"in.csv\": 3}, \"stage\": 4}"}) {
    write_file(path_, text);
    try {
      require_made_from(path_, {input_});
    } catch (const Error&) {
    }
  }
}

TEST_F(ManifestTest, AnInputMoreOrLessIsNotUpToDate) {
  write_file(folder_ / "more.csv", "");
  EXPECT_FALSE(
      up_to_date(make_manifest("train", options_.fields(), {input_, folder_ / "more.csv"}, {}), path_));
  EXPECT_FALSE(up_to_date(make_manifest("train", options_.fields(), {}, {}), path_));
}

TEST_F(ManifestTest, MissingInputIsNotUpToDateAndNoManifestIsWrittenOfIt) {
  std::filesystem::remove(input_);
  EXPECT_FALSE(current());
  EXPECT_THROW(save_manifest(make_manifest("train", options_.fields(), {input_}, {}), folder_ / "m"), Error);
  EXPECT_FALSE(std::filesystem::exists(folder_ / "m"));
}

TEST_F(ManifestTest, MissingOrDamagedOutputIsNotUpToDate) {
  write_file(output_, "resulT");
  EXPECT_FALSE(current());
  std::filesystem::remove(output_);
  EXPECT_FALSE(current());
}

TEST_F(ManifestTest, MissingOrCorruptManifestIsNotUpToDate) {
  const std::string good = read_file(path_);
  for (const std::string& bytes : {std::string(), good.substr(0, good.size() / 2), std::string("[]"),
                                   std::string("{\"format\": 2}"), std::string("\xff\x00garbage", 9)}) {
    write_file(path_, bytes);
    EXPECT_FALSE(current()) << bytes;
  }
  std::filesystem::remove(path_);
  EXPECT_FALSE(current());
}

TEST_F(ManifestTest, RecordedInputs) {
  EXPECT_EQ(recorded_inputs(path_), std::vector<std::filesystem::path>{input_});
  write_file(path_, "{\"inputs\": 3}");
  EXPECT_TRUE(recorded_inputs(path_).empty());
  EXPECT_TRUE(recorded_inputs(folder_ / "absent").empty());
}

TEST_F(ManifestTest, RecordedOptionsAndHashes) {
  const Recorded all = recorded(path_);
  EXPECT_EQ(all.options, (std::map<std::string, std::string>{{"epochs", "3"}, {"kind", "a"}}));
  EXPECT_EQ(all.inputs, (std::map<std::string, std::string>{{input_.generic_string(), hash_file(input_)}}));
  write_file(path_, "{\"options\": {\"a\": 1, \"b\": \"x\"}, \"inputs\": []}");
  EXPECT_EQ(recorded(path_).options, (std::map<std::string, std::string>{{"b", "x"}}));
  EXPECT_TRUE(recorded(path_).inputs.empty());
  EXPECT_TRUE(recorded(folder_ / "absent").options.empty());
}

TEST_F(ManifestTest, SameStateGivesTheSameBytes) {
  const std::string first = read_file(path_);
  save_manifest(make_manifest("train", options_.fields(), {input_}, {output_}), path_);
  EXPECT_EQ(read_file(path_), first);
  EXPECT_NE(first.find("\"versions\""), std::string::npos);
}

}  // namespace
}  // namespace hyperllm::artifact
