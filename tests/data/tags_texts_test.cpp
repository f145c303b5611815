#include "hyperllm/data/tags.h"
#include "hyperllm/data/texts.h"
#include "tests/support/folder.h"

namespace hyperllm::data {
namespace {

using Ids = std::vector<std::string>;

class TagFiles : public test::FolderTest {
 protected:
  void put_tags(std::string_view tags, std::string_view edges, std::string_view items) {
    put("tags.tsv", tags);
    put("tag_edges.tsv", edges);
    put("tag_items.tsv", items);
  }
  const Ids items_ = {"x", "y"};
};

TEST_F(TagFiles, WhatIsSavedReadsBackEqual) {
  const TagGraph graph{
      {{"Hair", 1}, {"Soft \"wave\", 2\"", 3}, {"unknown", 0}}, {{0, 1}, {2, 0}}, {{1, 0}, {1, 1}, {2, 1}}};
  EXPECT_FALSE(has_tags(folder_));
  save_tags(graph, folder_, items_);
  EXPECT_TRUE(has_tags(folder_));
  const TagGraph back = load_tags(folder_, items_);
  ASSERT_EQ(back.tags.size(), 3u);
  EXPECT_EQ(back.tags[1].text, graph.tags[1].text);
  EXPECT_EQ(back.tags[1].level, 3);
  EXPECT_EQ(back.edges, graph.edges);
  EXPECT_EQ(back.tag_items, graph.tag_items);
  EXPECT_EQ(read_file(folder_ / "tag_items.tsv"), "tag\titem\n1\tx\n1\ty\n2\ty\n");
}

TEST_F(TagFiles, FaultsSayFileLineFieldAndRemedy) {
  constexpr const char *kTags = "tag_id\ttext\tlevel\n0\ta\t1\n1\tb\t2\n", *kEdges = "parent\tchild\n0\t1\n",
                       *kItems = "tag\titem\n0\tx\n";
  const struct {
    std::string tags, edges, items;
    std::initializer_list<std::string_view> parts;
  } cases[] = {
      {"id\ttext\tlevel\n", kEdges, kItems, {"tags.tsv:1", "tag_id<tab>text<tab>level"}},
      {"tag_id\ttext\tlevel\n1\ta\t1\n",
       kEdges,
       kItems,
       {"tags.tsv:2", "field 'tag_id'", "'1' where 0 is due"}},
      {"tag_id\ttext\tlevel\n0\ta\tdeep\n",
       kEdges,
       kItems,
       {"tags.tsv:2", "field 'level'", "'deep'", "0 if it is unknown"}},
      {"tag_id\ttext\tlevel\n0\ta\t4\n", kEdges, kItems, {"field 'level'"}},
      {"tag_id\ttext\tlevel\n0\t\t1\n", kEdges, kItems, {"field 'text'", "empty"}},
      {"tag_id\ttext\tlevel\n0\t1\n", kEdges, kItems, {"tags.tsv:2", "2 fields where 3"}},
      {kTags, "parent\tchild\n0\t2\n", kItems, {"tag_edges.tsv:2", "field 'child'", "no tag '2'"}},
      {kTags, "parent\tchild\n-1\t1\n", kItems, {"tag_edges.tsv:2", "field 'parent'", "no tag '-1'"}},
      {kTags, "parent\tchild\n1\t1\n", kItems, {"tag_edges.tsv:2", "to itself", "Remove"}},
      {kTags, "parent\tchild\n0\t1\n1\t0\n", kItems, {"tag_edges.tsv:3", "twice"}},
      {kTags, kEdges, "tag\titem\n0\tz\n", {"tag_items.tsv:2", "field 'item'", "no item 'z'"}},
      {kTags, kEdges, "tag\titem\n0\tx\n0\tx\n", {"tag_items.tsv:3", "twice"}},
      {kTags, kEdges, "tag\titem\n9\tx\n", {"tag_items.tsv:2", "field 'tag'", "no tag '9'"}},
  };
  for (const auto& bad : cases) {
    put_tags(bad.tags, bad.edges, bad.items);
    test::expect_error(ErrorCode::kInvalidData, bad.parts, [&] { load_tags(folder_, items_); });
  }
  put_tags(kTags, kEdges, kItems);
  EXPECT_EQ(load_tags(folder_, items_).edges.size(), 1u);
  std::filesystem::remove(folder_ / "tag_edges.tsv");
  test::expect_error(ErrorCode::kIo, {"tag_edges.tsv"}, [&] { load_tags(folder_, items_); });
}

TEST_F(TagFiles, ATextThatWouldBreakTheFileIsRefusedAndNothingIsWritten) {
  test::expect_error(ErrorCode::kInvalidArgument, {"tag 0", "tab"}, [&] {
    save_tags({{{"a\tb", 1}}, {}, {}}, folder_, items_);
  });
  EXPECT_FALSE(has_tags(folder_));
}

class TextFiles : public test::FolderTest {};

TEST_F(TextFiles, ItemTextsReadBackEqualInTheOrderOfTheItems) {
  const std::vector<ItemText> texts = {{"y",
                                        "Röd \"tråd\"",
                                        "Acme",
                                        {{"Home", "Sewing"}, {"Gifts"}},
                                        "line\nbreak",
                                        {{"year", "1999"}, {"colour", "red"}}},
                                       {"x", "", "", {}, "", {}}};
  save_item_texts(texts, folder_);
  const auto back = load_item_texts(folder_, {"x", "z", "y"});
  ASSERT_EQ(back.size(), 3u);
  EXPECT_EQ(back[0].id, "x");
  EXPECT_EQ(back[1].id, "z");
  EXPECT_EQ(back[1].title, "");
  EXPECT_EQ(back[2].title, texts[0].title);
  EXPECT_EQ(back[2].brand, texts[0].brand);
  EXPECT_EQ(back[2].categories, texts[0].categories);
  EXPECT_EQ(back[2].description, texts[0].description);
  EXPECT_EQ(std::set(back[2].other.begin(), back[2].other.end()),
            std::set(texts[0].other.begin(), texts[0].other.end()));
}

TEST_F(TextFiles, FieldsOfOtherTypesBecomeText) {
  put("items.jsonl",
      "{\"id\": 7, \"title\": null, \"categories\": [\"a\", \"b\"], \"price\": 3.5, \"tags\": [\"p\", null, "
      "\"q\"], "
      "\"details\": {\"k\": 1}, \"none\": null}\n\n{\"id\": \"unknown\"}\n");
  const auto texts = load_item_texts(folder_, {"7"});
  EXPECT_EQ(texts[0].title, "");
  EXPECT_EQ(texts[0].categories, (std::vector<Ids>{{"a", "b"}}));
  EXPECT_EQ(texts[0].other, (std::vector<std::pair<std::string, std::string>>{
                                {"details", "k: 1"}, {"price", "3.5"}, {"tags", "p, q"}}));
}

TEST_F(TextFiles, NestingWithoutEndIsRefused) {
  std::string deep(200000, '[');
  deep += std::string(200000, ']');
  put("items.jsonl", "{\"id\": \"x\", \"a\": " + deep + "}\n");
  test::expect_error(ErrorCode::kInvalidData, {"items.jsonl:1", "nests deeper than 256 levels"},
                     [&] { load_item_texts(folder_, {"x"}); });
}

TEST_F(TextFiles, FaultsSayFileLineFieldAndRemedy) {
  const struct {
    std::string content;
    std::initializer_list<std::string_view> parts;
  } cases[] = {
      {"{\"id\": \"x\"}\n{\"id\": \"x\"\n", {"items.jsonl:2", "not a JSON object", "one object a line"}},
      {"[1]\n", {"items.jsonl:1", "not a JSON object"}},
      {"{\"title\": \"t\"}\n", {"items.jsonl:1", "field 'id'", "missing"}},
      {"{\"id\": \"x\"}\n{\"id\": \"x\"}\n", {"items.jsonl:2", "field 'id'", "line 1", "Remove"}},
      {"{\"id\": \"\xff\"}\n", {"items.jsonl:1", "not a JSON object"}}};
  for (const auto& bad : cases) {
    put("items.jsonl", bad.content);
    test::expect_error(ErrorCode::kInvalidData, bad.parts, [&] { load_item_texts(folder_, {"x"}); });
  }
  std::filesystem::remove(folder_ / "items.jsonl");
  test::expect_error(ErrorCode::kIo, {"items.jsonl", "cannot open"},
                     [&] { load_item_texts(folder_, {"x"}); });
}

TEST_F(TextFiles, SummariesReadBackEqualAndAreChecked) {
  const auto file = folder_ / "item_summaries.jsonl";
  save_summaries(file, {"b", "a"}, {"of b", ""});
  EXPECT_EQ(read_file(file), "{\"id\":\"b\",\"summary\":\"of b\"}\n{\"id\":\"a\",\"summary\":\"\"}\n");
  EXPECT_EQ(load_summaries(file, {"a", "c", "b"}), (Ids{"", "", "of b"}));
  test::expect_error(ErrorCode::kInvalidData, {"item_summaries.jsonl:1", "field 'id'", "no 'b'"},
                     [&] { load_summaries(file, {"a"}); });
  put("item_summaries.jsonl", "{\"id\": \"a\", \"summary\": 3}\n");
  test::expect_error(ErrorCode::kInvalidData, {"item_summaries.jsonl:1", "field 'summary'", "not a text"},
                     [&] { load_summaries(file, {"a"}); });
  EXPECT_THROW(save_summaries(file, {"a"}, {}), Error);
}

}  // namespace
}  // namespace hyperllm::data
