#include "hyperllm/data/statistics.h"

#include "tests/support/folder.h"

namespace hyperllm::data {
namespace {

class DataStatistics : public test::FolderTest {};

TEST_F(DataStatistics, TokensAreWordsAndPunctuation) {
  EXPECT_EQ(count_tokens(""), 0);
  EXPECT_EQ(count_tokens("Café au lait, 250 ml"), 6);
  EXPECT_EQ(count_tokens("  a--b "), 4);
}

// By hand: fields Lamp, Acme, Home, Home, red; Lamp, Home: 4 distinct, 5 and 2 tokens.
TEST_F(DataStatistics, CountsByHand) {
  data::Dataset dataset{
      "shop", {"a", "b"}, {"x", "y", "z"}, {{0, 1}, {0, 1}, {1, 1}, {0, 0}}, {{0}, {2}, {1}, {0}}, {}};
  const std::vector<data::ItemText> texts = {
      {"x", "Lamp", "Acme", {{"Home"}, {"Home"}}, "", {{"colour", "red"}}},
      {"y", "Lamp", "", {{"Home"}}, "", {}},
      {"z", "", "", {}, "", {}}};
  data::TagGraph tags{{{"t", 1}, {"s", 2}}, {{0, 1}}, {{0, 0}, {1, 0}, {1, 1}}};
  data::save_dataset(dataset, folder_);
  data::save_item_texts(texts, folder_);
  data::save_tags(tags, folder_, dataset.items);
  data::save_summaries(folder_ / "item_summaries.jsonl", dataset.items, {"one two", "", "one"});
  data::save_summaries(folder_ / "user_summaries.jsonl", dataset.users, {"a b c", "a b c d e f"});
  const Statistics s = measure_folder(folder_);
  EXPECT_EQ(s.interactions(), 3);
  EXPECT_DOUBLE_EQ(s.density(), 0.5);
  EXPECT_EQ(s.features, 4);
  EXPECT_DOUBLE_EQ(s.average_tokens, 3.5);
  EXPECT_EQ(s.items_without_text, 1);
  EXPECT_EQ(s.tags, 2);
  EXPECT_EQ(s.tag_item, 3);
  EXPECT_EQ(s.tag_tag, 1);
  EXPECT_DOUBLE_EQ(s.average_summary.value(), 3);
  EXPECT_EQ(format_statistics(s),
            "Dataset  Users  Items  User-Item  Density  Train  Valid  Test  Features  Avg Token\n"
            "shop         2      3          3   50.00%      2      1     0         4          4\n"
            "\n"
            "Dataset  Tags  Tag-Item  Tag-Tag  Avg Summary\n"
            "shop        2         3        1            3\n");
}

TEST_F(DataStatistics, WhatIsNotThereIsADash) {
  const data::Dataset dataset{"shop", {"a"}, {"x"}, {{0}, {0}, {1}, {0}}, {}, {}};
  const std::string text = format_statistics(measure(dataset, {}, nullptr));
  EXPECT_NE(text.find("100.00%"), std::string::npos);
  EXPECT_NE(text.find("-          -\n"), std::string::npos) << text;
  EXPECT_EQ(text.find("Tag-Tag"), std::string::npos);
}

}  // namespace
}  // namespace hyperllm::data
