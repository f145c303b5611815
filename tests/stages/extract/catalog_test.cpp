#include "hyperllm/stages/extract/catalog.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "hyperllm/base/random.h"
#include "hyperllm/stages/extract/key_phrases.h"
#include "hyperllm/stages/extract/tag_builder.h"
#include "hyperllm/text/tokenizer.h"
#include "tests/support/item_text.h"

namespace hyperllm::stages::extract {
namespace {

using Items = std::vector<data::ItemText>;
using Edges = std::set<std::pair<std::string, std::string>>;

std::set<std::string> texts(const data::TagGraph& graph, int level) {
  std::set<std::string> out;
  for (const data::Tag& tag : graph.tags)
    if (tag.level == level) out.insert(tag.text);
  return out;
}

Edges edges(const data::TagGraph& graph) {
  Edges out;
  for (const auto& [parent, child] : graph.edges)
    out.emplace(graph.tags[parent].text, graph.tags[child].text);
  return out;
}

std::set<std::int32_t> items_of(const data::TagGraph& graph, const std::string& text) {
  std::set<std::int32_t> out;
  for (const auto& [tag, item] : graph.tag_items)
    if (graph.tags[tag].text == text) out.insert(item);
  return out;
}

ExtractOptions no_phrases() {
  ExtractOptions options;
  options.phrases_per_item = 0;
  options.min_items = 2;
  return options;
}

const Items kShop = test::item_texts(
    {{.title = "Night repair",
      .brand = "Orchid",
      .categories = {{"Beauty", "Skin Care", "Face", "Creams", "Night Creams"}}},
     {.title = "Day shield", .brand = "ORCHID", .categories = {{"Beauty", "Skin Care", "Face", "Creams"}}},
     {.title = "Gloss",
      .brand = "Orchid",
      .categories = {{"Beauty", "Makeup", "Lips"}, {"Beauty", "Makeup", "Face"}}},
     {.title = "Liner", .brand = "Solo", .categories = {{"Beauty", "Makeup", "Lips"}}},
     {}});

TEST(CatalogTags, CategoryPathsBrandsAndNothingElse) {
  const data::TagGraph graph = catalog_tags(kShop, no_phrases());
  EXPECT_EQ(texts(graph, 1), (std::set<std::string>{"Makeup", "Skin Care"}));  // all share "Beauty"
  EXPECT_EQ(texts(graph, 2), (std::set<std::string>{"Face", "Lips"}));
  EXPECT_EQ(texts(graph, 3), (std::set<std::string>{"Creams", "Night Creams", "Orchid"}));
  // Of Orchid's three items all carry Face; one carries Lips.
  EXPECT_EQ(edges(graph), (Edges{{"Skin Care", "Face"},
                                 {"Makeup", "Face"},
                                 {"Makeup", "Lips"},
                                 {"Face", "Creams"},
                                 {"Face", "Night Creams"},
                                 {"Face", "Orchid"}}));
  EXPECT_EQ(items_of(graph, "Face"), (std::set<std::int32_t>{0, 1, 2}));
  EXPECT_EQ(items_of(graph, "Orchid"), (std::set<std::int32_t>{0, 1, 2}));
  EXPECT_EQ(items_of(graph, "Night Creams"), (std::set<std::int32_t>{0}));
  // Numbered by level, then most items, then text.
  EXPECT_EQ(graph.tags[0].text, "Makeup");
  EXPECT_EQ(graph.tags[2].text, "Face");
  EXPECT_TRUE(std::is_sorted(graph.tag_items.begin(), graph.tag_items.end()));
}

TEST(CatalogTags, DeeperCategoriesCanBeCut) {
  Items items = test::item_texts({{.categories = {{"A", "B", "C", "D"}}}, {.categories = {{"X"}}}});
  EXPECT_EQ(texts(catalog_tags(items, no_phrases()), 3), (std::set<std::string>{"C", "D"}));
  ExtractOptions cut = no_phrases();
  cut.deeper_categories = "cut";
  EXPECT_EQ(texts(catalog_tags(items, cut), 3), (std::set<std::string>{"C"}));
}

TEST(CatalogTags, ATextAtTwoDepthsIsOneTagOfTheBroaderLevel) {
  const Items items = test::item_texts({{.categories = {{"Tools", "Hair", "Brushes"}}},
                                        {.categories = {{"hair ", "Tools", "Brushes"}}},
                                        {.categories = {{"Tools", "tools"}}}});
  const data::TagGraph graph = catalog_tags(items, no_phrases());
  EXPECT_EQ(texts(graph, 1), (std::set<std::string>{"Tools", "Hair"}));
  EXPECT_EQ(texts(graph, 3), (std::set<std::string>{"Brushes"}));
  // Tools and Hair are both broadest now: no edge between them; Brushes hangs below the nearer one of each
  // path.
  EXPECT_EQ(edges(graph), (Edges{{"Hair", "Brushes"}, {"Tools", "Brushes"}}));
}

TEST(CatalogTags, GenresAndDecades) {
  const Items films =
      test::item_texts({{.title = "One (1994)", .categories = {{"Drama"}}},
                        {.title = "Two (1999) ", .categories = {{"Drama"}, {"Crime"}}},
                        {.title = "Three", .other = {{"genres", "Crime|Drama"}, {"year", "2003"}}},
                        {.title = "Four (2004)", .other = {{"genres", "(no genres listed)"}}},
                        {.title = "Five (2009)"},
                        {.title = "Six (12)", .other = {{"year", "soon"}}}});
  const data::TagGraph graph = catalog_tags(films, no_phrases());
  EXPECT_EQ(texts(graph, 1), (std::set<std::string>{"2000s", "Crime", "Drama"}));
  EXPECT_EQ(texts(graph, 2), (std::set<std::string>{"1990s Drama"}));
  EXPECT_EQ(edges(graph), (Edges{{"Drama", "1990s Drama"}}));
  EXPECT_EQ(items_of(graph, "2000s"), (std::set<std::int32_t>{3, 4}));
  EXPECT_EQ(items_of(graph, "Drama"), (std::set<std::int32_t>{0, 1, 2}));
}

TEST(CatalogTags, KeyPhrasesThatSeveralItemsShare) {
  Items items;
  for (int i = 0; i < 4; ++i)
    items.push_back(
        test::item_text({.title = "Argan oil mask " + std::string(1, static_cast<char>('p' + i)) + "xyz",
                         .categories = {{"Hair", "Masks"}}}));
  for (int i = 4; i < 30; ++i)
    items.push_back(
        test::item_text({.title = "unique" + std::to_string(i) + " 2019", .categories = {{"Other"}}}));
  ExtractOptions options;
  options.phrase_max_share = 0.5;
  const data::TagGraph graph = catalog_tags(items, options);
  EXPECT_EQ(texts(graph, 3), (std::set<std::string>{"argan oil", "oil mask"}));
  EXPECT_EQ(items_of(graph, "argan oil"), (std::set<std::int32_t>{0, 1, 2, 3}));
  EXPECT_EQ(edges(graph), (Edges{{"Hair", "Masks"}, {"Masks", "argan oil"}, {"Masks", "oil mask"}}));
}

TEST(CatalogTags, APhraseThatIsAlreadyATagIsNotASecondOne) {
  Items items;
  for (int i = 0; i < 5; ++i)
    items.push_back(test::item_text({.title = "Tea-Tree soap", .brand = i < 3 ? "tea tree" : "Other brand"}));
  ExtractOptions options;
  options.phrase_max_share = 1;
  std::multiset<std::string> forms;
  for (const data::Tag& tag : catalog_tags(items, options).tags) forms.insert(text::normal_form(tag.text));
  EXPECT_EQ(forms.count("tea tree"), 1u);
  EXPECT_EQ(forms.count("tree soap"), 1u);
}

// Whatever the catalogue says, the hierarchy is clean.
TEST(CatalogTags, HygieneOnRandomCatalogues) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    Random random(seed, "catalog_test");
    const auto word = [&] { return "w" + std::to_string(random.below(12)); };
    Items items(40);
    for (auto& item : items) {
      for (std::uint64_t p = random.below(3); p > 0; --p) {
        auto& path = item.categories.emplace_back();
        for (std::uint64_t d = random.below(6); d > 0; --d)
          path.push_back(random.below(2) ? word() : word() + " " + word());
      }
      item.brand = random.below(2) ? word() : "";
      item.title =
          word() + " " + word() + " " + word() + " (19" + std::to_string(70 + random.below(30)) + ")";
    }
    ExtractOptions options;
    options.min_items = 1;
    options.phrase_max_share = 1;
    const data::TagGraph graph = catalog_tags(items, options);
    std::set<std::string> forms;
    for (const data::Tag& tag : graph.tags) {
      EXPECT_TRUE(tag.level >= 1 && tag.level <= 3);
      EXPECT_TRUE(forms.insert(text::normal_form(tag.text)).second) << tag.text;
    }
    for (const auto& [parent, child] : graph.edges)
      EXPECT_LT(graph.tags[parent].level, graph.tags[child].level);
    for (const auto* pairs : {&graph.edges, &graph.tag_items})
      EXPECT_TRUE(std::adjacent_find(pairs->begin(), pairs->end()) == pairs->end());
    EXPECT_FALSE(graph.edges.empty());
  }
}

TEST(TagBuilder, RefusesEdgesThatDoNotLeadToANarrowerTag) {
  TagBuilder tags(1);
  const auto broad = tags.declare("Broad", 1), narrow = tags.declare("Narrow", 2),
             other = tags.declare("Other", 2);
  EXPECT_TRUE(tags.connect(broad, narrow));
  EXPECT_FALSE(tags.connect(narrow, broad));
  EXPECT_FALSE(tags.connect(narrow, other));
  EXPECT_FALSE(tags.connect(narrow, narrow));
  EXPECT_EQ(tags.declare(" broad!", 3), broad);
  EXPECT_EQ(tags.level(broad), 1);
  EXPECT_EQ(tags.declare("...", 1), TagBuilder::kNone);
  const auto spaced = tags.declare("two\twords\n", 3);
  EXPECT_EQ(tags.find("Two words"), spaced);
  EXPECT_EQ(tags.text(spaced), "two words");
}

TEST(KeyPhrases, LimitsHold) {
  Items items(6);
  for (auto& item : items) item.title = "rose water toner";
  const auto none = [](std::string_view) { return false; };
  EXPECT_TRUE(pick_key_phrases(items, {.max_share = 0.5}, none).phrases.empty());
  const KeyPhrases one = pick_key_phrases(items, {.per_item = 1, .max_share = 1}, none);
  EXPECT_EQ(one.phrases.size(), 1u);
  EXPECT_EQ(pick_key_phrases(items, {.in_all = 1, .max_share = 1}, none).phrases.size(), 1u);
  EXPECT_TRUE(pick_key_phrases(items, {.min_items = 7, .max_share = 1}, none).phrases.empty());
  EXPECT_EQ(pick_key_phrases({}, {}, none).phrases.size(), 0u);
}

}  // namespace
}  // namespace hyperllm::stages::extract
