#include "hyperllm/apps/recipe.h"

#include <gtest/gtest.h>

#include <cstdlib>

#include "tests/support/folder.h"

namespace hyperllm::apps {
namespace {

using hyperllm::test::expect_error;

struct Options {
  std::string model;
  std::int64_t epochs = 1;
  double rate = 0;
  bool shuffle = false;
  std::filesystem::path file;
  std::vector<std::int64_t> ks;
  std::vector<std::string> metrics;
  FieldList fields() {
    return {{"model", &model, "", {"popular", "ease"}},
            {"epochs", &epochs, ""},
            {"rate", &rate, ""},
            {"shuffle", &shuffle, ""},
            {"file", &file, ""},
            {"ks", &ks, ""},
            {"metrics", &metrics, ""}};
  }
};

class RecipeTest : public hyperllm::test::FolderTest {
 protected:
  Recipe load(const std::string& text, const std::vector<std::string>& overrides = {}) {
    return load_recipe(put("r.toml", text), overrides);
  }
  // Loads, and applies [train] to fresh options.
  Options train(const std::string& text, const std::vector<std::string>& overrides = {}) {
    Options options;
    const Recipe recipe = load(text, overrides);
    if (recipe.train) assign_table(*recipe.train, options.fields());
    return options;
  }
  void refused(ErrorCode code, std::initializer_list<std::string_view> parts, const std::string& text,
               const std::vector<std::string>& overrides = {}) {
    expect_error(code, parts, [&] { train(text, overrides); });
  }
};

// toml++ would make as many tables inside of one another, and destroy them by recursion.
TEST_F(RecipeTest, NamesOfManyPartsAreRefusedWithTheirLine) {
  std::string name = "a";
  for (int i = 0; i < 400'000; ++i) name += ".a";
  for (const std::string& text : std::initializer_list<std::string>{
           "\n[" + name + "]\n", "[[\n" + name + "]]\n", "# a\n" + name + " = 1\n",
           "x = \"\"\"\n\"\"\"\ny = {" + name + " = 1}\n", "x = 'a'\n\"a\" . 'b'.c.d.e.f.g.h.i.j = 1",
           "x = [{\n" + name + " = 1}]"}) {
    const std::string line = "r.toml:" + std::string(text.starts_with("x = \"") ? "3" : "2");
    refused(ErrorCode::kInvalidData, {line, "a name of more than 8 parts"}, text);
  }
  refused(ErrorCode::kInvalidArgument, {"--set a.a.a", "...: unknown section"}, "", {name + "=1"});
  for (const std::string& value :
       {std::string("\"../../../a.b.c.d.e.f.g.h.i/x.y.z\""), std::string("'..\\..\\a.b.c.d.e.f.g.h.i.j\\'"),
        std::string("\"\"\"\na.b.c.d\n.e.f.g.h.i\"\"\""), std::string("\"\" # a.b.c.d.e.f.g.h.i.j.k"),
        std::string("\"\\\".a.b.c.d.e.f.g.h.i\"")})
    EXPECT_NO_THROW(load("[train]\nfile = " + value + "\n")) << value;
}

TEST_F(RecipeTest, ARecipeOfMegabytesIsRefused) {
  refused(ErrorCode::kInvalidData, {"r.toml: the file is larger than 1 MiB"}, std::string(2 << 20, '\n'));
}

TEST_F(RecipeTest, EverySectionAndType) {
  const Recipe recipe = load(R"(
name = "beauty"
output = "out"
threads = 2
[prepare]
k_core = 5
[extract]
[[embed]]
dim = 8
[[embed]]
dim = 16
[train]
model = "ease"
epochs = 3
rate = 1
shuffle = true
file = "a/b"
ks = [5, 10]
metrics = ["recall", "ndcg"]
[evaluate]
[runs.zeta]
[runs.alpha]
epochs = 7
)");
  EXPECT_EQ(recipe.name, "beauty");
  EXPECT_EQ(recipe.output, "out");
  EXPECT_EQ(recipe.dataset, "out/data/beauty");
  EXPECT_EQ(recipe.threads, 2);
  EXPECT_TRUE(recipe.prepare && recipe.extract && recipe.evaluate);
  EXPECT_EQ(recipe.embed.size(), 2u);
  ASSERT_EQ(recipe.runs.size(), 2u);
  EXPECT_EQ(recipe.runs[0].name, "runs.zeta") << "the file's order, not the alphabet's";
  Options options;
  assign_table(*recipe.train, options.fields());
  assign_table(recipe.runs[1], options.fields());
  EXPECT_EQ(options.model, "ease");
  EXPECT_EQ(options.epochs, 7);
  EXPECT_EQ(options.rate, 1);
  EXPECT_TRUE(options.shuffle);
  EXPECT_EQ(options.file, "a/b");
  EXPECT_EQ(options.ks, (std::vector<std::int64_t>{5, 10}));
  EXPECT_EQ(options.metrics, (std::vector<std::string>{"recall", "ndcg"}));
}

TEST_F(RecipeTest, DefaultsFollowFromTheFileName) {
  const Recipe recipe = load("");
  EXPECT_EQ(recipe.name, "r");
  EXPECT_EQ(recipe.output, "runs/r");
  EXPECT_EQ(recipe.dataset, "runs/r/data/r");
  EXPECT_FALSE(recipe.prepare || recipe.train);
}

TEST_F(RecipeTest, EnvironmentVariables) {
  ::setenv("HYPERLLM_TEST_VALUE", "x y", 1);
  ::unsetenv("HYPERLLM_TEST_ABSENT");
  EXPECT_EQ(train("[train]\nfile = '${HYPERLLM_TEST_VALUE}/z$1'").file, "x y/z$1");
  EXPECT_EQ(train("[train]\nfile = '${HYPERLLM_TEST_ABSENT:-../data}/z'").file, "../data/z");
  refused(ErrorCode::kInvalidArgument, {"r.toml:2", "'HYPERLLM_TEST_ABSENT' is not set", ":-default"},
          "[train]\nfile = '${HYPERLLM_TEST_ABSENT}/z'");
  refused(ErrorCode::kInvalidArgument, {"r.toml:2", "without '}'"}, "[train]\nfile = '${HOME'");
}

TEST_F(RecipeTest, UnknownNamesSuggestTheNearest) {
  const auto code = ErrorCode::kInvalidArgument;
  refused(code, {"r.toml:1: unknown section 'trian'; did you mean 'train'?"}, "[trian]\nepochs = 3");
  refused(code, {"r.toml:2: unknown key 'nmae'; did you mean 'name'?"}, "\nnmae = 'x'");
  refused(code, {"r.toml:3: [train]: unknown key 'epohcs'; did you mean 'epochs'?"}, "[train]\n\nepohcs = 3");
  refused(code, {"--set trian.epochs=3: unknown section 'trian'; did you mean 'train'?"}, "",
          {"trian.epochs=3"});
  refused(code, {"--set train.epoch=3: [train]: unknown key 'epoch'; did you mean 'epochs'?"}, "",
          {"train.epoch=3"});
  refused(code, {"unknown run 'runs.eaze'; did you mean 'runs.ease'?"}, "[runs.ease]",
          {"runs.eaze.epochs=3"});
  refused(code, {"unknown key 'thread'; did you mean 'threads'?"}, "", {"thread=3"});
  refused(code, {"expected section.key=value"}, "", {"train.epochs"});
}

TEST_F(RecipeTest, WrongTypesNameFileAndLine) {
  const auto code = ErrorCode::kInvalidArgument;
  refused(code, {"r.toml:2: [train]: 'epochs': expected a whole number, got many"},
          "[train]\nepochs = 'many'");
  refused(code, {"r.toml:2", "'epochs': expected a whole number, got 1.5"}, "[train]\nepochs = 1.5");
  refused(code, {"'shuffle': expected true or false, got 1"}, "[train]\nshuffle = 1");
  refused(code, {"'model': expected a text in quotes, got true"}, "[train]\nmodel = true");
  refused(code, {"'ks': expected a list of whole numbers"}, "[train]\nks = ['a']");
  refused(code, {"r.toml:2: [train]", "'model'", "one of popular, ease, got 'eese'"},
          "[train]\nmodel = 'eese'");
  refused(code, {"'rate'", "finite"}, "[train]\nrate = nan");
  refused(code, {"r.toml:2", "a list may hold texts or whole numbers"}, "[train]\nks = [1.5]");
  refused(code, {"r.toml:2", "must be a text, a number"}, "[train]\nks = 1979-05-27");
  refused(code, {"r.toml:1", "'train' must be a table"}, "train = 3");
  refused(code, {"r.toml:1", "'runs' must be tables"}, "runs = 3");
  refused(code, {"r.toml:1", "it names a folder"}, "[runs.'../x']");
  refused(code, {"--set train.epochs=x", "expected a whole number, got 'x'"}, "", {"train.epochs=x"});
}

TEST_F(RecipeTest, BrokenOrMissingFiles) {
  refused(ErrorCode::kInvalidData, {"r.toml:2", "not valid TOML", "docs/recipes.md"},
          "[train]\nepochs = = 3\n");
  refused(ErrorCode::kInvalidData, {"r.toml", "not valid TOML"}, std::string("a = \"\xff\xfe\"\n"));
  expect_error(ErrorCode::kIo, {"absent.toml", "No such file"},
               [&] { load_recipe(folder_ / "absent.toml"); });
}

TEST_F(RecipeTest, OverridesReplaceAndAdd) {
  EXPECT_EQ(train("[train]\nepochs = 3", {"train.epochs=4", "train.epochs=5"}).epochs, 5);
  EXPECT_EQ(train("", {"train.rate=0.25"}).rate, 0.25);
  EXPECT_EQ(load("threads = 4", {"threads=1"}).threads, 1);
  EXPECT_EQ(load("", {"output=elsewhere"}).dataset, "elsewhere/data/r");
  const Recipe recipe = load("[[embed]]\ndim = 1\n[[embed]]\n[runs.a]", {"embed.dim=9", "runs.a.epochs=2"});
  for (const RecipeTable& table : recipe.embed) EXPECT_EQ(table.values.at(0).second.text, "9");
  EXPECT_EQ(recipe.runs[0].values.at(0).second.text, "2");
}

}  // namespace
}  // namespace hyperllm::apps
