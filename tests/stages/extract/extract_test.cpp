#include <gtest/gtest.h>

#include "hyperllm/data/dataset.h"
#include "hyperllm/data/tags.h"
#include "hyperllm/data/texts.h"
#include "hyperllm/stages/extract/run.h"
#include "hyperllm/stages/extract/summaries.h"
#include "tests/support/folder.h"
#include "tests/support/item_text.h"
#include "tests/support/recording_sink.h"
#include "tests/support/small_dataset.h"

namespace hyperllm::stages::extract {
namespace {

using Strings = std::vector<std::string>;
using test::expect_error;

class ExtractTest : public test::FolderTest {
 protected:
  void SetUp() override {
    test::FolderTest::SetUp();
    dataset_ = test::small_dataset(folder_);
    data::save_dataset(dataset_, folder_);
    options_.dataset = folder_;
    options_.min_items = 2;
    context_.sink = &sink_;
  }
  ExtractResult go() { return run(options_, context_); }
  Strings item_summaries() const {
    return data::load_summaries(folder_ / "item_summaries.jsonl", dataset_.items);
  }
  Strings user_summaries() const {
    return data::load_summaries(folder_ / "user_summaries.jsonl", dataset_.users);
  }

  data::Dataset dataset_;
  ExtractOptions options_;
  test::RecordingSink sink_;
  Context context_;
};

constexpr const char* kItems =
    R"({"id": "i0", "title": "Rose cream", "brand": "Orchid", "categories": [["Care", "Face"]]}
{"id": "i1", "title": "Rose gel", "brand": "Orchid", "categories": [["Care", "Face"]]}
{"id": "i2", "title": "Lamp", "categories": [["Home"]]}
{"id": "i3", "title": "Hidden zebra", "categories": [["Home"]]}
)";

TEST_F(ExtractTest, WritesTagsEdgesAndSummaries) {
  put("items.jsonl", kItems);
  const ExtractResult result = go();
  EXPECT_EQ(read_file(folder_ / "tags.tsv"),
            "tag_id\ttext\tlevel\n0\tCare\t1\n1\tHome\t1\n2\tFace\t2\n3\tOrchid\t3\n");
  EXPECT_EQ(read_file(folder_ / "tag_edges.tsv"), "parent\tchild\n0\t2\n2\t3\n");
  EXPECT_EQ(read_file(folder_ / "tag_items.tsv"),
            "tag\titem\n0\ti0\n0\ti1\n1\ti2\n1\ti3\n2\ti0\n2\ti1\n3\ti0\n3\ti1\n");
  EXPECT_EQ(item_summaries(),
            (Strings{"Rose cream by Orchid. Care, Face, Orchid.", "Rose gel by Orchid. Care, Face, Orchid.",
                     "Lamp. Home.", "Hidden zebra. Home.", ""}));
  EXPECT_EQ(user_summaries(),
            (Strings{"Rose cream by Orchid. Care, Face, Orchid.\nRose gel by Orchid. Care, Face, Orchid.",
                     "Rose gel by Orchid. Care, Face, Orchid.\nLamp. Home.",
                     "Rose cream by Orchid. Care, Face, Orchid.", ""}));
  EXPECT_EQ(result.tags, 4);
  EXPECT_EQ(result.edges, 2);
  EXPECT_EQ(result.tag_items, 8);
  EXPECT_FALSE(result.kept_tags);
  EXPECT_EQ(result.items_without_text, 1);
  ASSERT_EQ(sink_.warnings.size(), 2u);
  EXPECT_NE(sink_.warnings[0].find("1 of 5 items have no text"), std::string::npos);
  EXPECT_NE(sink_.warnings[1].find("1 of 4 users"), std::string::npos);
}

TEST_F(ExtractTest, RunningTwiceGivesTheSameBytes) {
  put("items.jsonl", kItems);
  go();
  const auto bytes = [&] {
    std::string all;
    for (const char* name :
         {"tags.tsv", "tag_edges.tsv", "tag_items.tsv", "item_summaries.jsonl", "user_summaries.jsonl"})
      all += read_file(folder_ / name);
    return all;
  };
  const std::string first = bytes();
  go();
  EXPECT_EQ(bytes(), first);
}

TEST_F(ExtractTest, TagsOfADatasetWithoutTextsStayAndMakeTheSummaries) {
  const std::string tags = "tag_id\ttext\tlevel\n0\tBeauty\t0\n1\tSPF 15\t0\n";
  put("tags.tsv", tags);
  put("tag_edges.tsv", "parent\tchild\n0\t1\n");
  put("tag_items.tsv", "tag\titem\n0\ti0\n0\ti2\n1\ti2\n");
  const ExtractResult result = go();
  EXPECT_TRUE(result.kept_tags);
  EXPECT_EQ(read_file(folder_ / "tags.tsv"), tags);
  EXPECT_EQ(item_summaries(), (Strings{"Beauty.", "", "Beauty, SPF 15.", "", ""}));
  EXPECT_EQ(user_summaries(), (Strings{"Beauty.", "Beauty, SPF 15.", "Beauty.", ""}));
}

TEST_F(ExtractTest, OwnTagsCanBeKeptBesideTexts) {
  put("items.jsonl", kItems);
  put("tags.tsv", "tag_id\ttext\tlevel\n0\tMine\t1\n");
  put("tag_edges.tsv", "parent\tchild\n");
  put("tag_items.tsv", "tag\titem\n0\ti2\n");
  options_.keep_tags = true;
  EXPECT_EQ(go().tags, 1);
  EXPECT_EQ(item_summaries()[2], "Lamp. Mine.");
  options_.keep_tags = false;
  EXPECT_EQ(go().tags, 4);
}

TEST_F(ExtractTest, NeitherTextsNorTagsIsAnError) {
  expect_error(ErrorCode::kInvalidData, {"items.jsonl", "no item of the dataset has a text", "prepare"},
               [&] { go(); });
  put("items.jsonl", R"({"id": "i0", "title": ""})");
  expect_error(ErrorCode::kInvalidData, {"no item of the dataset has a text"}, [&] { go(); });
  EXPECT_FALSE(std::filesystem::exists(folder_ / "tags.tsv"));
}

TEST_F(ExtractTest, BadItemsAndTagsNameTheirLine) {
  put("items.jsonl", "{\"id\": \"i0\", \"title\": \"x\"}\nnot json\n");
  expect_error(ErrorCode::kInvalidData, {"items.jsonl:2"}, [&] { go(); });
  put("items.jsonl", "{\"title\": \"x\"}\n");
  expect_error(ErrorCode::kInvalidData, {"items.jsonl:1", "id"}, [&] { go(); });
  std::filesystem::remove(folder_ / "items.jsonl");
  put("tags.tsv", "tag_id\ttext\tlevel\n0\tA\t7\n");
  put("tag_edges.tsv", "parent\tchild\n");
  put("tag_items.tsv", "tag\titem\n");
  expect_error(ErrorCode::kInvalidData, {"tags.tsv:2", "level"}, [&] { go(); });
}

TEST_F(ExtractTest, OptionsAreChecked) {
  put("items.jsonl", kItems);
  const auto rejects = [&](const char* name, const char* value) {
    ExtractOptions options = options_;
    const FieldList fields = options.fields();
    expect_error(ErrorCode::kInvalidArgument, {name}, [&] {
      assign_field(find_field(fields, name, "test"), value);
      run(options, context_);
    });
  };
  rejects("extractor", "magic");
  rejects("deeper_categories", "burn");
  rejects("min_items", "0");
  rejects("phrases_per_item", "-1");
  rejects("max_phrases", "-1");
  rejects("phrase_max_share", "0");
  rejects("parent_share", "1.5");
  rejects("keep_tags", "true");  // there are none
  rejects("dataset", "");
}

TEST_F(ExtractTest, MissingFolderNamesThePath) {
  options_.dataset = folder_ / "nowhere";
  expect_error(ErrorCode::kIo, {"nowhere"}, [&] { go(); });
}

TEST_F(ExtractTest, StopsWhenAskedAndWritesNothing) {
  put("items.jsonl", kItems);
  std::stop_source source;
  source.request_stop();
  context_.stop = source.get_token();
  expect_error(ErrorCode::kInterrupted, {"extract interrupted"}, [&] { go(); });
  EXPECT_FALSE(std::filesystem::exists(folder_ / "tags.tsv"));
}

TEST(Summaries, LeaveOutWhatIsMissing) {
  const auto items = test::item_texts({{.title = "T"}, {.brand = "B"}, {.title = "T", .brand = "B"}, {}});
  const data::TagGraph tags{{{"x", 1}}, {}, {{0, 1}}};
  EXPECT_EQ(summarise_items(items, tags), (Strings{"T.", "By B. x.", "T by B.", ""}));
}

}  // namespace
}  // namespace hyperllm::stages::extract
