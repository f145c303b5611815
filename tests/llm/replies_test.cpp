#include "hyperllm/llm/replies.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "hyperllm/llm/find_json.h"
#include "hyperllm/llm/text_checks.h"

namespace hyperllm::llm {
namespace {

const std::string kGood =
    R"({"summary": "A light face cream that calms dry skin and suits daily use.",)"
    R"("tags": {"broad": ["Beauty"], "middle": ["Skin Care"], "specific": ["Face Cream", "Dry Skin"]},)"
    R"("edges": [{"parent": "Beauty", "child": "Skin Care"}, {"parent": "Skin Care", "child": "Face Cream"},)"
    R"({"parent": "Skin Care", "child": "Dry Skin"}]})";

using Levels = std::array<std::vector<std::string>, kLevels>;
using Edges = std::vector<std::pair<std::string, std::string>>;
const Levels kGoodLevels = {{{"Beauty"}, {"Skin Care"}, {"Face Cream", "Dry Skin"}}};
const Edges kGoodEdges = {{"Beauty", "Skin Care"}, {"Skin Care", "Face Cream"}, {"Skin Care", "Dry Skin"}};

bool mentions(const std::vector<std::string>& notes, const std::string& what) {
  return std::any_of(notes.begin(), notes.end(), [&](const auto& n) { return n.find(what) != n.npos; });
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const std::size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

TEST(ItemReply, CleanReplyIsTakenAsItIs) {
  const auto parsed = parse_item_reply(kGood, {});
  EXPECT_TRUE(parsed.valid()) << parsed.problems[0];
  EXPECT_TRUE(parsed.mended.empty());
  EXPECT_EQ(parsed.value.levels, kGoodLevels);
  EXPECT_EQ(parsed.value.edges, kGoodEdges);
}

struct Messy {
  const char* name;
  std::string completion;
  std::string mended;
};

class MessyCompletion : public testing::TestWithParam<Messy> {};

TEST_P(MessyCompletion, MeansTheSame) {
  const auto parsed = parse_item_reply(GetParam().completion, {});
  ASSERT_TRUE(parsed.valid()) << parsed.problems[0];
  EXPECT_EQ(parsed.value.levels, kGoodLevels);
  EXPECT_EQ(parsed.value.edges, kGoodEdges);
  EXPECT_EQ(parsed.value.summary, "A light face cream that calms dry skin and suits daily use.");
  if (GetParam().mended.empty())
    EXPECT_TRUE(parsed.mended.empty()) << parsed.mended[0];
  else
    EXPECT_TRUE(mentions(parsed.mended, GetParam().mended)) << GetParam().mended;
}

const std::string kEcho = R"({"type": "object", "properties": {"summary": {"type": "string"}}})";

INSTANTIATE_TEST_SUITE_P(
    Corpus, MessyCompletion,
    testing::Values(
        Messy{"Fence", "Here you are:\n```json\n" + kGood + "\n```\nHope this helps!", "code fence"},
        Messy{"OpenFence", "```\n" + kGood, "code fence"},
        Messy{"Think", "<think>The item {is} a cream... {\"summary\": \"no\"}</think>\n" + kGood, "thinking"},
        Messy{"ThinkWithoutOpening", "so it is {a cream}</think>" + kGood, "thinking"},
        Messy{"EchoedSchema", kEcho + "\n" + kGood, ""},
        Messy{"Corrected", replaced(kGood, "Beauty", "Food") + "\nNo, sorry:\n" + kGood, ""},
        Messy{"Wrapped", R"({"result": )" + kGood + "}", ""},
        Messy{"TrailingComma", replaced(kGood, R"("Dry Skin"])", R"("Dry Skin", ])"), "trailing comma"},
        Messy{"MissingComma", replaced(kGood, R"("Face Cream", "Dry Skin")", R"("Face Cream" "Dry Skin")"),
              "missing comma"},
        Messy{"SingleQuotes",
              [] {
                std::string text = kGood;
                std::replace(text.begin(), text.end(), '"', '\'');
                return text;
              }(),
              "quotes"},
        Messy{"BareKeys", replaced(replaced(kGood, R"("summary")", "summary"), R"("tags")", "tags"),
              "quotes"},
        Messy{"Comments", replaced(kGood, R"("tags")", "// three levels\n\"tags\""), "comment"},
        Messy{"RawLineBreak", replaced(kGood, "cream that", "cream\nthat"), "line break"},
        Messy{"LastBraceMissing", kGood.substr(0, kGood.size() - 1), "truncated"},
        Messy{"CutInAnExtraEdge",
              replaced(kGood, R"("child": "Dry Skin"}]})",
                       R"("child": "Dry Skin"}, {"parent": "Beauty", "child": "Face Cr)"),
              "truncated"},
        Messy{"OtherKeyCase", replaced(kGood, "\"summary\"", "\"Summary\""), ""},
        Messy{"LevelNumbers",
              replaced(replaced(replaced(kGood, "broad", "Level 1"), "middle", "level_2"), "specific", "3"),
              ""},
        Messy{"ListsOfTags",
              replaced(
                  kGood,
                  R"({"broad": ["Beauty"], "middle": ["Skin Care"], "specific": ["Face Cream", "Dry Skin"]})",
                  R"([["Beauty"], ["Skin Care"], ["Face Cream", "Dry Skin"]])"),
              ""},
        Messy{
            "TagsWithLevels",
            replaced(
                kGood,
                R"({"broad": ["Beauty"], "middle": ["Skin Care"], "specific": ["Face Cream", "Dry Skin"]})",
                R"([{"tag": "Beauty", "level": 1}, {"tag": "Skin Care", "level": "2"}, {"tag": "Face Cream", "level": 3}, {"name": "Dry Skin", "level": "Level 3"}])"),
            ""},
        Messy{"ArrowEdges",
              kGood.substr(0, kGood.find("[{\"parent\"")) +
                  R"(["Beauty -> Skin Care", "Skin Care → Face Cream", "Skin Care => Dry Skin"]})",
              ""},
        Messy{"PairEdges",
              kGood.substr(0, kGood.find("[{\"parent\"")) +
                  R"([["Beauty", "Skin Care"], ["Skin Care", "Face Cream"], ["Skin Care", "Dry Skin"]]})",
              ""},
        Messy{"DuplicateTag", replaced(kGood, R"("Dry Skin"])", R"("Dry Skin", "dry  skin"])"),
              "duplicate tag"},
        Messy{"TagOnTwoLevels", replaced(kGood, R"("Dry Skin"])", R"("Dry Skin", "BEAUTY"])"), "two levels"},
        Messy{"EdgeUp",
              replaced(kGood, R"({"parent": "Beauty", "child": "Skin Care"})",
                       R"({"parent": "skin care", "child": "Beauty"})"),
              "turned round"},
        Messy{"EdgeWithinALevel",
              replaced(kGood, R"("edges": [)", R"("edges": [{"parent": "Face Cream", "child": "Dry Skin"},)"),
              "within a level"},
        Messy{"EdgeToAStranger",
              replaced(kGood, R"("edges": [)", R"("edges": [{"parent": "Beauty", "child": "Cars"},)"),
              "unknown tag"},
        Messy{"OnlyPossibleParent", replaced(kGood, R"(,{"parent": "Skin Care", "child": "Dry Skin"})", ""),
              "only possible parent"}),
    [](const auto& test) { return std::string(test.param.name); });

struct Bad {
  const char* name;
  std::string completion;
  std::string problem;
};

class BadCompletion : public testing::TestWithParam<Bad> {};

TEST_P(BadCompletion, IsRefusedWithItsReason) {
  const auto parsed = parse_item_reply(GetParam().completion, {});
  EXPECT_FALSE(parsed.valid());
  EXPECT_TRUE(mentions(parsed.problems, GetParam().problem))
      << (parsed.problems.empty() ? "no problem" : parsed.problems[0]);
}

std::string looped() {
  std::string words;
  for (int i = 0; i < 5; ++i) words += " very soft and very creamy,";
  return words;
}

INSTANTIATE_TEST_SUITE_P(
    Corpus, BadCompletion,
    testing::Values(
        Bad{"Empty", "", "no JSON object"}, Bad{"Prose", "I cannot help with that.", "no JSON object"},
        Bad{"OnlyThinking", "<think>" + kGood, "no JSON object"},
        Bad{"OnlyAList", "[1, 2, 3]", "no JSON object"},
        Bad{"WrongSchema", R"({"answer": 42})", "\"summary\" is missing"},
        Bad{"CutInTheTags", kGood.substr(0, kGood.find("Face Cream") + 4), "in \"specific\""},
        Bad{"CutInTheSummary", kGood.substr(0, 30), "no JSON object"},
        Bad{"EmptyLevel", replaced(kGood, R"(["Skin Care"])", "[]"), "in \"middle\""},
        Bad{"LevelOnlyRepeats", replaced(kGood, R"(["Skin Care"])", R"(["beauty"])"), "in \"middle\""},
        Bad{"NoParent",
            replaced(replaced(kGood, R"(["Skin Care"])", R"(["Skin Care", "Gifts"])"),
                     R"({"parent": "Skin Care", "child": "Face Cream"},)", ""),
            "no parent for the tag \"Face Cream\""},
        Bad{"Sentence",
            replaced(kGood, "\"Face Cream\",", "\"A face cream that you will love using daily\","),
            "too long"},
        Bad{"Placeholder", replaced(replaced(kGood, "Face Cream", "{category}"), "Face Cream", "{category}"),
            "\"{category}\" is not a tag"},
        Bad{"ShortSummary",
            replaced(kGood, "A light face cream that calms dry skin and suits daily use.", "Summary: cream"),
            "too short"},
        Bad{"German",
            replaced(kGood, "A light face cream that calms dry skin and suits daily use.",
                     "Eine leichte Creme, die trockene Haut beruhigt und für den Alltag mit viel Sonne "
                     "geeignet ist."),
            "not written in English"},
        Bad{"Chinese",
            replaced(kGood, "A light face cream that calms dry skin and suits daily use.",
                     "这是一款清爽的面霜适合干性皮肤日常使用让皮肤保持水润光滑并且没有油腻感"),
            "not written in English"},
        Bad{"Loop", replaced(kGood, " that calms dry skin", looped()), "repeats itself"},
        Bad{"LongSummary",
            replaced(kGood, "A light",
                     [] {
                       std::string text;
                       for (int i = 0; i < 160; ++i) text += "word" + std::to_string(i) + " ";
                       return text;
                     }()),
            "at most 150"}),
    [](const auto& test) { return std::string(test.param.name); });

// However a reply is cut, reading it neither throws nor invents a tag that the model did not finish.
TEST(ItemReply, AnyPrefixYieldsOnlyWholeTags) {
  for (std::size_t length = 0; length < kGood.size(); ++length) {
    const auto parsed = parse_item_reply(kGood.substr(0, length), {});
    for (int level = 0; level < kLevels; ++level)
      for (const auto& tag : parsed.value.levels[static_cast<std::size_t>(level)])
        EXPECT_NE(std::find(kGoodLevels[static_cast<std::size_t>(level)].begin(),
                            kGoodLevels[static_cast<std::size_t>(level)].end(), tag),
                  kGoodLevels[static_cast<std::size_t>(level)].end())
            << tag << " at " << length;
  }
}

TEST(ItemReply, HostileNestingIsRefusedQuickly) {
  std::string deep;
  for (int i = 0; i < 20000; ++i) deep += "{\"a\":[";
  EXPECT_FALSE(parse_item_reply(deep, {}).valid());
  EXPECT_FALSE(parse_item_reply(std::string(100000, '{'), {}).valid());
}

TEST(ItemReply, SpeaksTheLanguageAskedFor) {
  const std::string german = replaced(
      kGood, "A light face cream that calms dry skin and suits daily use.",
      "Eine leichte Creme, die trockene Haut beruhigt und für den Alltag mit viel Sonne geeignet ist.");
  EXPECT_TRUE(parse_item_reply(german, {.language = "German"}).valid());
  EXPECT_FALSE(parse_item_reply(kGood, {.language = "Russian"}).valid());
  EXPECT_TRUE(parse_item_reply(kGood, {.language = "Klingon"}).valid()) << "unknown: never called wrong";
}

TEST(UserReply, TakesJsonAndBareText) {
  const std::string text = "Likes light creams without perfume.";
  for (const std::string& reply :
       {R"({"summary": ")" + text + "\"}", "Summary: " + text, "```\n" + text + "\n```",
        "<think>hm</think>\"" + text + "\"", "```json\n{\"summary\": \"" + text + "\",}\n```"}) {
    const auto parsed = parse_user_reply(reply, {});
    EXPECT_TRUE(parsed.valid()) << reply;
    EXPECT_EQ(parsed.value, text) << reply;
  }
  const std::string chinese =
      R"({"summary": "\u559c\u6b22\u6e05\u723d\u4e0d\u6cb9\u817b\u7684\u9762\u971c\u548c\u6d01\u9762\u4ea7\u54c1"})";
  EXPECT_TRUE(parse_user_reply(chinese, {.language = "Chinese"}).valid()) << "no blanks between words";
  EXPECT_FALSE(parse_user_reply(R"({"profile": "x"})", {}).valid());
  EXPECT_FALSE(parse_user_reply("{\"summary\": \"Likes li", {}).valid());
  EXPECT_FALSE(parse_user_reply("", {}).valid());
}

TEST(TextChecks, TellLanguagesAndLoops) {
  EXPECT_FALSE(wrong_language("Crème brûlée torch", "English")) << "too short to judge";
  EXPECT_FALSE(
      wrong_language("La La Land is a film about jazz and the price of dreams in the city", "English"));
  EXPECT_TRUE(wrong_language(
      "Une crème légère pour les peaux sèches, avec une texture douce et un parfum frais.", "English"));
  EXPECT_TRUE(wrong_language(
      "Una crema ligera para las pieles secas con un perfume fresco, ideal para los días", "English"));
  EXPECT_TRUE(wrong_language("Лёгкий крем для сухой кожи на каждый день", "English"));
  EXPECT_FALSE(wrong_language("Лёгкий крем для сухой кожи на каждый день", "russian"));
  EXPECT_TRUE(repetition_loop("good good good good good good"));
  EXPECT_FALSE(repetition_loop("New York, New York is a song about New York and its lights"));
}

// What would take hours if each brace made the reader look at the whole rest, or each tag move it.
TEST(FindJson, WorkGrowsWithTheTextAndNoFaster) {
  static constexpr std::string_view kKeys[] = {"summary"};
  constexpr std::size_t kSize = 1 << 18;
  const std::string heads[] = {"",  "{\"summary\": ", "{'",       "{\"", "\u201c", "/*",
                               "#", "<think>",        "```json\n"};
  const std::string parts[] = {"{",
                               "{/*",
                               "{/* ",
                               "{//",
                               "{#",
                               "{\"",
                               "{'",
                               "{\u201c",
                               "{\"a\":",
                               "{a:",
                               "{a:[",
                               "[{",
                               "[",
                               "{\"a\":1,",
                               "{a:1 ",
                               "{a:'",
                               "{a:\"",
                               "{\\",
                               "{\"\\",
                               "{'{\"",
                               "{#{//{/*",
                               "{}",
                               "{a:{}}",
                               "{a:1}",
                               "{,",
                               "{]",
                               "{a",
                               "{\"summary\":",
                               "{:",
                               "{\"a\"#",
                               "{\"a\"/*",
                               "{a:#",
                               "</think>",
                               "<think>",
                               "<think></think>",
                               "</thinking>",
                               "<reasoning></think>",
                               "```",
                               "{\"\\u",
                               "{a:\\ud800",
                               "\""};
  const std::string tails[] = {"", "\n", "*/", "\n}", "*/}", "\"", "'}", "</think>", "]}"};
  for (const std::string& head : heads)
    for (const std::string& part : parts) {
      std::string text = head;
      while (text.size() < kSize / 32) text += part;
      for (const std::string& tail : tails)
        EXPECT_LE(find_json(text + tail, kKeys).effort, 17 * (text.size() + tail.size()))
            << head << part << tail;
    }
  for (const std::string& part : parts) {
    std::string text;
    while (text.size() < kSize) text += part;
    find_json(text, kKeys);  // ends
    parse_item_reply(text, {});
    parse_user_reply(text, {});
  }
}

TEST(FindJson, ThinkingBlocksAreTakenOutOneByOne) {
  EXPECT_EQ(without_thinking("a<think>b</think>c<think>d</think>e"), "ace");
  EXPECT_EQ(without_thinking("a</think>b<think>c</think>d"), "bd");
  EXPECT_EQ(without_thinking("a<think>b</think>c</think>d"), "d");
  EXPECT_EQ(without_thinking("a<think>b<think>c</think>d"), "ad");
  EXPECT_EQ(without_thinking("a<reasoning>b<think>c</think>d</reasoning>e<thinking>f"), "ae");
  EXPECT_EQ(without_thinking("none"), "none");
  std::string many;  // moving the rest for each would take hours
  while (many.size() < 16 << 20) many += "</think>";
  EXPECT_EQ(without_thinking(many + "a"), "a");
}

}  // namespace
}  // namespace hyperllm::llm
