#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "hyperllm/artifact/npy.h"
#include "hyperllm/base/parallel.h"
#include "hyperllm/data/texts.h"
#include "hyperllm/stages/embed/run.h"
#include "tests/support/folder.h"
#include "tests/support/recording_sink.h"
#include "tests/support/small_dataset.h"

namespace hyperllm::stages::embed {
namespace {

using test::expect_error;

class EmbedTest : public test::FolderTest {
 protected:
  void SetUp() override {
    test::FolderTest::SetUp();
    dataset_ = test::small_dataset(folder_);
    data::save_dataset(dataset_, folder_);
    options_.dataset = folder_;
    context_.sink = &sink_;
  }

  void save_summaries() const {
    data::save_summaries(folder_ / "item_summaries.jsonl", dataset_.items,
                         {"red nail polish", "red lip gloss", "oak table", "oak chair", ""});
    data::save_summaries(
        folder_ / "user_summaries.jsonl", dataset_.users,
        {"red nail polish\nred lip gloss", "red lip gloss\noak table", "red nail polish", ""});
  }
  void use_lsa() {
    save_summaries();
    options_.dimension = 4;
    options_.min_df = 1;
  }
  std::filesystem::path put_npy(const char* name, std::int64_t rows, std::int64_t cols) const {
    std::vector<float> values(static_cast<std::size_t>(rows * cols));
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i + 1);
    artifact::write_npy(folder_ / name, rows, cols, values);
    return folder_ / name;
  }
  void use_npy() {
    options_.encoder = "npy";
    options_.items_npy = put_npy("my_items.npy", 5, 3);
    options_.users_npy = put_npy("my_users.npy", 4, 3);
  }
  EmbedResult go() { return run(options_, context_); }

  data::Dataset dataset_;
  EmbedOptions options_;
  test::RecordingSink sink_;
  Context context_;
};

double dot(std::span<const float> a, std::span<const float> b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += static_cast<double>(a[i]) * b[i];
  return sum;
}

TEST_F(EmbedTest, LsaWritesUnitRowsInTheOrderOfTheIds) {
  use_lsa();
  const EmbedResult result = go();
  EXPECT_EQ(result.folder, folder_ / "embeddings" / "lsa");
  const artifact::Matrix users = artifact::read_npy(result.folder / "users.npy");
  const artifact::Matrix items = artifact::read_npy(result.folder / "items.npy");
  ASSERT_EQ(users.rows, 4);
  ASSERT_EQ(items.rows, 5);
  ASSERT_EQ(users.cols, 4);
  ASSERT_EQ(items.cols, 4);
  for (std::int64_t r = 0; r < 4; ++r) EXPECT_NEAR(dot(items.row(r), items.row(r)), 1, 1e-5);
  EXPECT_EQ(dot(items.row(4), items.row(4)), 0);
  EXPECT_EQ(dot(users.row(3), users.row(3)), 0);
  EXPECT_NEAR(dot(users.row(2), items.row(0)), 1, 1e-5);  // the same text
  EXPECT_GT(dot(users.row(1), items.row(2)), dot(users.row(0), items.row(2)));
  EXPECT_EQ(result.empty_items, 1);
  EXPECT_EQ(result.empty_users, 1);
  ASSERT_FALSE(sink_.infos.empty());
  EXPECT_NE(sink_.infos[0].find("4 dimensions keep"), std::string::npos);
  ASSERT_EQ(sink_.warnings.size(), 1u);
  EXPECT_NE(sink_.warnings[0].find("1 items and 1 users"), std::string::npos);
}

TEST_F(EmbedTest, DimensionAboveTheRankIsPaddedWithAWarning) {
  use_lsa();
  options_.dimension = 64;
  options_.name = "wide";
  go();
  const artifact::Matrix items = artifact::read_npy(folder_ / "embeddings/wide/items.npy");
  EXPECT_EQ(items.cols, 64);
  for (std::int64_t r = 0; r < 5; ++r) EXPECT_EQ(items.row(r)[63], 0);
  ASSERT_FALSE(sink_.warnings.empty());
  EXPECT_NE(sink_.warnings[0].find("independent directions"), std::string::npos);
}

TEST_F(EmbedTest, LsaGivesTheSameBytesForAnyNumberOfThreads) {
  use_lsa();
  const int threads = num_threads();
  std::vector<std::string> bytes;
  for (const int count : {1, 2, 4}) {
    set_num_threads(count);
    const auto folder = go().folder;
    bytes.push_back(read_file(folder / "users.npy") + read_file(folder / "items.npy"));
  }
  set_num_threads(threads);
  EXPECT_EQ(bytes[0], bytes[1]);
  EXPECT_EQ(bytes[0], bytes[2]);
}

TEST_F(EmbedTest, MissingSummariesPointToExtract) {
  expect_error(ErrorCode::kIo, {"item_summaries.jsonl", "extract"}, [&] { go(); });
}

TEST_F(EmbedTest, SummaryOfAnUnknownItemNamesItsLine) {
  use_lsa();
  put("item_summaries.jsonl",
      "{\"id\": \"i0\", \"summary\": \"red\"}\n{\"id\": \"zz\", \"summary\": \"x\"}\n");
  expect_error(ErrorCode::kInvalidData, {"item_summaries.jsonl:2", "zz"}, [&] { go(); });
}

TEST_F(EmbedTest, TooFewWordsIsAnErrorThatLeavesEarlierEmbeddingsAlone) {
  use_lsa();
  const auto folder = go().folder;
  const std::string before = read_file(folder / "items.npy");
  options_.min_df = 50;
  expect_error(ErrorCode::kInvalidData, {"lower min_df"}, [&] { go(); });
  EXPECT_EQ(read_file(folder / "items.npy"), before);
}

TEST_F(EmbedTest, NpyIsCopiedAsItIs) {
  use_npy();
  options_.name = "mine";
  const EmbedResult result = go();
  EXPECT_EQ(result.dimension, 3);
  EXPECT_EQ(artifact::read_npy(folder_ / "embeddings/mine/items.npy").values,
            artifact::read_npy(options_.items_npy).values);
  EXPECT_EQ(artifact::read_npy(folder_ / "embeddings/mine/users.npy").values,
            artifact::read_npy(options_.users_npy).values);
}

TEST_F(EmbedTest, WithoutUsersTheyAreMeansOfTheirTrainingItems) {
  options_.encoder = "npy";
  options_.items_npy = folder_ / "my_items.npy";
  artifact::write_npy(options_.items_npy, 5, 2, std::vector<float>{3, 0, 0, 5, 8, 0, -1, 0, 0, -1});
  go();
  const artifact::Matrix users = artifact::read_npy(folder_ / "embeddings/npy/users.npy");
  const float half = std::sqrt(0.5F);
  const std::vector<float> expected = {half, half, half, half, 1, 0, 0, 0};
  for (std::size_t i = 0; i < expected.size(); ++i) EXPECT_NEAR(users.values[i], expected[i], 1e-6) << i;
}

TEST_F(EmbedTest, NpyThatDoesNotFitSaysWhatIsWrong) {
  use_npy();
  options_.items_npy = put_npy("short.npy", 4, 3);
  expect_error(ErrorCode::kInvalidData, {"short.npy", "4 rows", "5 items", "items.tsv"}, [&] { go(); });
  use_npy();
  options_.users_npy = put_npy("long.npy", 6, 3);
  expect_error(ErrorCode::kInvalidData, {"long.npy", "6 rows", "4 users", "users.tsv"}, [&] { go(); });
  use_npy();
  options_.users_npy = put_npy("narrow.npy", 4, 2);
  expect_error(ErrorCode::kInvalidData, {"narrow.npy", "2 columns", "3", "one model"}, [&] { go(); });
  use_npy();
  options_.items_npy = put_npy("flat.npy", 5, 0);
  expect_error(ErrorCode::kInvalidData, {"flat.npy"}, [&] { go(); });
  EXPECT_FALSE(std::filesystem::exists(folder_ / "embeddings"));
}

TEST_F(EmbedTest, NpyThatIsBrokenSaysWhere) {
  use_npy();
  const std::string good = read_file(options_.items_npy);
  std::string nan = good;
  const float bad = std::nanf("");
  std::memcpy(nan.data() + nan.size() - 2 * sizeof(float), &bad, sizeof bad);  // row 4 from 0, column 1
  put("my_items.npy", nan);
  expect_error(ErrorCode::kInvalidData, {"my_items.npy", "row 4", "column 1"}, [&] { go(); });
  put("my_items.npy", std::string_view(good).substr(0, good.size() - 1));
  expect_error(ErrorCode::kInvalidData, {"my_items.npy"}, [&] { go(); });
  put("my_items.npy", "PK not a matrix");
  expect_error(ErrorCode::kInvalidData, {"my_items.npy"}, [&] { go(); });
  options_.items_npy = folder_ / "absent.npy";
  expect_error(ErrorCode::kIo, {"absent.npy"}, [&] { go(); });
}

TEST_F(EmbedTest, OptionsAreChecked) {
  use_lsa();
  const auto rejects = [&](const char* name, const char* value) {
    EmbedOptions options = options_;
    const FieldList fields = options.fields();
    expect_error(ErrorCode::kInvalidArgument, {name}, [&] {
      assign_field(find_field(fields, name, "test"), value);
      run(options, context_);
    });
  };
  rejects("encoder", "bert");
  rejects("dimension", "0");
  rejects("seed", "-1");
  rejects("min_df", "0");
  rejects("max_df", "0");
  rejects("max_df", "1.01");
  rejects("max_terms", "-1");
  rejects("singular_power", "2");
  rejects("name", "../elsewhere");
  rejects("name", "..");
  rejects("dataset", "");
  options_.encoder = "npy";
  expect_error(ErrorCode::kInvalidArgument, {"items_npy"}, [&] { go(); });
}

TEST_F(EmbedTest, StopsWhenAsked) {
  use_lsa();
  std::stop_source source;
  source.request_stop();
  context_.stop = source.get_token();
  expect_error(ErrorCode::kInterrupted, {"interrupted"}, [&] { go(); });
  EXPECT_FALSE(std::filesystem::exists(folder_ / "embeddings"));
}

}  // namespace
}  // namespace hyperllm::stages::embed
