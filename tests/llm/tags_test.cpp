#include "hyperllm/data/tags.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "hyperllm/base/error.h"
#include "hyperllm/base/files.h"
#include "hyperllm/data/dataset.h"
#include "hyperllm/llm/embeddings.h"
#include "hyperllm/llm/tag_cleaning.h"
#include "hyperllm/stages/tags/run.h"
#include "tests/llm/fake_model.h"

namespace hyperllm::llm {
namespace {

using Edges = std::vector<std::pair<std::int32_t, std::int32_t>>;

TEST(TagText, OneFormForSpellingsOfOneTag) {
  for (const auto& [a, b] :
       std::vector<std::pair<std::string, std::string>>{{"Skin Care", "skincare"},
                                                        {"Skin Care", "Skin-Care"},
                                                        {"Face Creams", "face cream"},
                                                        {"Accessories", "accessory"},
                                                        {"Hair & Nails", "hair and nails"},
                                                        {"Brushes", "brush"},
                                                        {"Cre\u0301mes", "cr\u00e9me"}})
    EXPECT_EQ(tag_form(a), tag_form(b)) << a << " / " << b;
  for (const auto& [a, b] : std::vector<std::pair<std::string, std::string>>{{"Glass", "Glasses of wine"},
                                                                             {"Series", "Sery"},
                                                                             {"1990s", "1980s"},
                                                                             {"C++", "C#"},
                                                                             {"Bus", "Bu"}})
    EXPECT_NE(tag_form(a), tag_form(b)) << a << " / " << b;
}

TEST(TagCollector, TakesTheMajoritysSpellingLevelAndDirection) {
  TagCollector collector;
  collector.add(
      0, {"", {{{"Beauty"}, {"Skin Care"}, {"Cream"}}}, {{"Beauty", "Skin Care"}, {"Skin Care", "Cream"}}});
  collector.add(1, {"", {{{"Beauty"}, {"Skincare"}, {"Creams"}}}, {{"Beauty", "Skincare"}}});
  collector.add(2, {"", {{{"Skincare"}, {"Beauty"}, {"Oil"}}}, {{"Skincare", "Beauty"}}});
  const data::TagGraph graph = collector.graph();
  ASSERT_EQ(graph.tags.size(), 4u);
  EXPECT_EQ(graph.tags[0].text, "Beauty");
  EXPECT_EQ(graph.tags[0].level, 1);
  EXPECT_EQ(graph.tags[1].text, "Skincare") << "two of three wrote it so";
  EXPECT_EQ(graph.tags[1].level, 2);
  EXPECT_EQ(graph.edges, (Edges{{0, 1}, {1, 2}}));
  EXPECT_EQ(graph.tag_items.size(), 9u);
}

data::TagGraph planted() {
  // 0 A(1) 1 B(2) 2 C(2) 3 D(2) 4 Ds(2) 5 Hub(1) 6 once(3)
  data::TagGraph graph;
  graph.tags = {{"A", 1}, {"Bee", 2}, {"Cat", 2}, {"Dog", 2}, {"Dogs", 2}, {"Hub", 1}, {"once", 3}};
  graph.edges = {{0, 1}, {1, 2}, {2, 3}, {3, 1}, {6, 1}, {4, 6}};
  for (int item = 0; item < 10; ++item) graph.tag_items.emplace_back(5, item);
  graph.tag_items.insert(
      graph.tag_items.end(),
      {{0, 0}, {0, 1}, {1, 0}, {1, 1}, {1, 2}, {2, 0}, {2, 1}, {3, 1}, {3, 2}, {4, 3}, {6, 4}});
  return graph;
}

TEST(TagCleaning, MergesBreaksCirclesAndReports) {
  const auto [graph, report] = clean_tags(planted(), 10, {});
  EXPECT_EQ(report.merged, 1) << "Dogs became Dog";
  EXPECT_EQ(report.against_level, 1) << "once -> Bee";
  // The circle Bee -> Cat (2 items) -> Dog (1 item) -> Bee (2 items) loses its lightest edge.
  ASSERT_EQ(report.cycles.size(), 1u);
  EXPECT_EQ(report.cycles[0], "Cat -> Dog (closed Dog -> Bee -> Cat -> Dog)");
  ASSERT_EQ(report.hubs.size(), 1u);
  EXPECT_EQ(report.hubs[0], (std::pair<std::string, std::int64_t>("Hub", 10)));
  EXPECT_EQ(report.single_use, 1);
  EXPECT_EQ(graph.tags.size(), 6u);
  EXPECT_EQ(graph.edges, (Edges{{0, 1}, {1, 2}, {3, 1}, {3, 5}}));
}

TEST(TagCleaning, DropsAndRewritesByOptionAndRule) {
  CleaningOptions options;
  options.drop_hubs = true;
  options.min_items = 2;
  options.rules = {{"cats", "Dog", ""}, {"A", "", "no meaning"}, {"bee", "Insect", ""}};
  const auto [graph, report] = clean_tags(planted(), 10, options);
  std::vector<std::string> texts;
  for (const auto& tag : graph.tags) texts.push_back(tag.text);
  EXPECT_EQ(texts, (std::vector<std::string>{"Insect", "Dog"}));
  EXPECT_EQ(report.removed, 1);
  EXPECT_EQ(report.dropped_hubs, 1);
  EXPECT_EQ(report.dropped_rare, 1);
}

TEST(TagCleaning, ProposesPairsForReviewButNotAcrossNumbers) {
  data::TagGraph graph;
  graph.tags = {{"Moisturizer", 3}, {"Moisturiser", 3}, {"1980s Drama", 2},
                {"1990s Drama", 2}, {"Film", 1},        {"Movie", 1}};
  graph.tag_items = {{0, 0}, {0, 1}, {1, 2}, {4, 0}, {5, 0}, {5, 1}};
  auto rules = propose_merges(graph, 0.6, {}, 0, 1);
  ASSERT_EQ(rules.size(), 1u);
  EXPECT_EQ(rules[0].from, "Moisturiser");
  EXPECT_EQ(rules[0].to, "Moisturizer") << "the more frequent one stays";
  const std::vector<float> vectors = {1, 0, 1, 0, 0, 1, 0, 1, 0.6f, 0.8f, 0.61f, 0.79f};
  rules = propose_merges(graph, 2, vectors, 2, 0.999);
  ASSERT_EQ(rules.size(), 2u);
  EXPECT_EQ(rules[1].from, "Film");
  EXPECT_EQ(rules[1].to, "Movie");
}

TEST(TagRules, SurviveAFileAndBadLinesAreNamed) {
  const auto file =
      std::filesystem::path(testing::TempDir()) / ("rules_" + std::to_string(::getpid()) + ".tsv");
  save_tag_rules({{"a", "b", "why"}, {"c", "", ""}}, file);
  const auto rules = load_tag_rules(file);
  ASSERT_EQ(rules.size(), 2u);
  EXPECT_EQ(rules[0].reason, "why");
  EXPECT_EQ(rules[1].to, "");
  for (const auto& [text, words] :
       std::vector<std::pair<std::string, std::string>>{{"a\tb\n", ":1:"},
                                                        {"from\tto\treason\nalone\n", ":2: field 'to'"},
                                                        {"from\tto\treason\n\tx\t\n", ":2: field 'from'"}}) {
    write_file(file, text);
    try {
      load_tag_rules(file);
      ADD_FAILURE() << text;
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find(words), std::string::npos) << error.what();
    }
  }
  std::filesystem::remove(file);
}

TEST(TagTree, ShowsCountsDepthAndRepeats) {
  data::TagGraph graph;
  graph.tags = {{"A", 1}, {"B", 2}, {"C", 3}, {"D", 1}};
  graph.edges = {{0, 1}, {1, 2}, {3, 1}};
  graph.tag_items = {{0, 0}, {0, 1}, {1, 0}, {2, 0}, {3, 0}};
  EXPECT_EQ(tag_tree(graph, 0, 3), "A (2)\n  B (1)\n    C (1)\nD (1)\n  B (1) ^\n");
  EXPECT_EQ(tag_tree(graph, 0, 1), "A (2)\nD (1)\n");
  EXPECT_EQ(tag_tree(graph, 1, 1), "A (2)\n... 1 more\n");
}

TEST(Embeddings, Base64RoundTrips) {
  const std::vector<float> values = {0, -1.5f, 3.25e-20f, 1e30f, 7};
  for (std::size_t n = 1; n <= values.size(); ++n) {
    const std::vector<float> some(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(n));
    EXPECT_EQ(floats_from_base64(floats_to_base64(some)), some);
  }
  EXPECT_EQ(floats_to_base64({1.0f}), "AACAPw==");
  EXPECT_TRUE(floats_from_base64("!").empty());
  EXPECT_TRUE(floats_from_base64("AAA").empty());
}

TEST(Embeddings, AreBatchedStoredAndAlignedWithTheirTexts) {
  using namespace testing_support;
  using nlohmann::json;
  const auto folder = std::filesystem::path(testing::TempDir()) / ("embed_" + std::to_string(::getpid()));
  std::filesystem::create_directories(folder);
  int texts = 0;
  bool broken = true;
  FakeServer server([&](const FakeRequest& request) {
    const json body = json::parse(request.body);
    EXPECT_EQ(request.path, "/v1/embeddings");
    json data = json::array();
    texts += static_cast<int>(body["input"].size());
    // In reverse order: the index says which is which.
    for (std::size_t i = body["input"].size(); i-- > 0;) {
      const std::string text = body["input"][i];
      json vector = {static_cast<double>(text.size()), 1.0};
      if (text == "bad" && broken) vector = {0, 0};
      data.push_back({{"index", i}, {"embedding", vector}});
    }
    return FakeAnswer{.body = json{{"data", data}, {"usage", {{"prompt_tokens", 5}}}}.dump()};
  });
  EmbeddingOptions options;
  options.server.base_url = server.url() + "/v1";
  options.server.model = "fake";
  options.batch = 3;
  const std::vector<std::string> all = {"a", "bbb", "", "a", "dddd", "ee"};
  EmbeddingTable table = embed_texts(all, folder, options, {});
  EXPECT_EQ(table.dimensions, 2);
  EXPECT_EQ(table.values, (std::vector<float>{1, 1, 3, 1, 0, 0, 1, 1, 4, 1, 2, 1}));
  EXPECT_EQ(server.requests(), 2);
  EXPECT_EQ(texts, 4) << "equal and empty texts are not asked";
  table = embed_texts({"a", "new", "bbb"}, folder, options, {});
  EXPECT_EQ(texts, 5) << "only what is new";
  try {
    embed_texts({"a", "bad"}, folder, options, {});
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("'bad': The vector is zero."), std::string::npos)
        << error.what();
  }
  broken = false;
  options.server.retry_failed = true;
  EXPECT_EQ(embed_texts({"bad"}, folder, options, {}).values, (std::vector<float>{3, 1}));
  std::filesystem::remove_all(folder);
}

// Two spellings that have no letter in common, whose vectors lie together: only the encoder can tell.
TEST(TagsStage, ProposesMergesByTheMeaningThatAnEncoderSees) {
  using namespace testing_support;
  using nlohmann::json;
  const auto folder = std::filesystem::path(testing::TempDir()) / ("tags_" + std::to_string(::getpid()));
  std::filesystem::create_directories(folder);
  data::Dataset dataset;
  dataset.name = folder.filename().string();
  dataset.users = {"u"};
  dataset.items = {"a", "b", "c"};
  dataset.train = {{0}, {0}, {1}, {0}};
  data::save_dataset(dataset, folder);
  data::save_tags({{{"Movies", 1}, {"Cinema", 1}, {"Garden", 1}}, {}, {{0, 0}, {0, 1}, {1, 2}, {2, 2}}},
                  folder, dataset.items);
  FakeServer server([&](const FakeRequest& request) {
    const json body = json::parse(request.body);
    json data = json::array();
    for (std::size_t i = 0; i < body["input"].size(); ++i)
      data.push_back(
          {{"index", i}, {"embedding", body["input"][i] == "Garden" ? json{0.0, 1.0} : json{1.0, 0.1}}});
    return FakeAnswer{.body = json{{"data", data}, {"usage", {{"prompt_tokens", 5}}}}.dump()};
  });
  stages::tags::TagsOptions options;
  options.dataset = folder;
  options.propose = folder / "rules.tsv";
  EXPECT_EQ(stages::tags::run(options, {}).proposed, 0);
  options.encoder.server.base_url = server.url() + "/v1";
  options.encoder.server.model = "fake";
  EXPECT_EQ(stages::tags::run(options, {}).proposed, 1);
  const auto rules = load_tag_rules(options.propose);
  ASSERT_EQ(rules.size(), 1u);
  EXPECT_EQ(rules[0].from, "Cinema");
  EXPECT_EQ(rules[0].to, "Movies");
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace hyperllm::llm
