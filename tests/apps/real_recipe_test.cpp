// What runs again: the real stages on a made-up catalogue, each option and each input changed in turn.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <sstream>

#include "hyperllm/apps/pipeline.h"
#include "tests/support/folder.h"
#include "tests/support/planted_dataset.h"
#include "tests/support/recording_sink.h"

namespace hyperllm::apps {
namespace {

namespace fs = std::filesystem;
using Names = std::vector<std::string>;

// Fields that the recipe's top level sets, or whose other values mean another recipe.
const std::set<std::string> kLayout = {"dataset", "output", "run", "seed"};

class RealRecipe : public hyperllm::test::FolderTest {
 protected:
  void SetUp() override {
    FolderTest::SetUp();
    const data::Dataset planted = hyperllm::test::planted_interactions({});
    std::string ratings = "user_id,item_id,rating,timestamp\n", items;
    for (const data::Interactions* part : {&planted.train, &planted.valid, &planted.test})
      for (std::int64_t i = 0; i < part->size(); ++i)
        ratings += planted.users[part->user[i]] + "," + planted.items[part->item[i]] + ",5," +
                   std::to_string(i) + "\n";
    for (std::size_t i = 0; i < planted.items.size(); ++i)
      items += R"({"id": ")" + planted.items[i] + R"(", "title": "Good thing )" + std::to_string(i) +
               R"(", "brand": "Brand )" + std::to_string(i % 4) + R"(", "categories": [["All", ")" +
               (i % 2 ? "Odd" : "Even") + R"("]]})" + "\n";
    put("ratings.csv", ratings);
    put("items.jsonl", items);
    for (const char* name : {"item.md", "user.md", "repair.md", "rules.tsv"})
      put(name, "text of " + std::string(name));
    const std::string at = folder_.string() + "/";
    put("r.toml", "name = 'r'\noutput = '" + at + "out,put'\n[prepare]\ninput = '" + at +
                      "ratings.csv'\nitems = '" + at + "items.jsonl'\n[extract]\nitem_prompt = '" + at +
                      "item.md'\nuser_prompt = '" + at + "user.md'\nrepair_prompt = '" + at +
                      "repair.md'\ntag_rules = '" + at +
                      "rules.tsv'\n[embed]\ndimension = 6\n[train]\ndim = 4\nlayers = 1\nepochs = 3\nlr = "
                      "0.05\nobjective = 'softmax'\nsoftmax_tau = 0.5\n"
                      "phase1_epochs = 1\nexperts = 2\nbatch_size = 256\n"
                      "[runs.a]\n[runs.b]\ninit_embeddings = '" +
                      at + "out,put/runs/a/phase1'\n[runs.popular]\nmodel = 'popular'\n");
  }

  // The steps that ran, in order; not those that were up to date.
  Names run(const Names& overrides = {}) {
    hyperllm::test::RecordingSink sink;
    std::ostringstream out;
    run_recipe(load_recipe(folder_ / "r.toml", overrides), {}, all_stages(), {&sink, {}}, out);
    Names ran;
    for (const std::string& line : sink.infos)
      if (line.starts_with("== ") && !line.ends_with(": up to date") && line != "== report")
        ran.push_back(line.substr(3));
    return ran;
  }

  void change(const fs::path& file) const { std::ofstream(file, std::ios::app) << "\n"; }

  fs::path out(const std::string& name) const { return folder_ / "out,put" / name; }
};

const Names kAll = {"prepare", "extract",    "embed",         "train a",         "evaluate a",
                    "train b", "evaluate b", "train popular", "evaluate popular"};
const Names kFromEmbed = {"embed", "train a", "evaluate a", "train b", "evaluate b"};

TEST_F(RealRecipe, AChangedOptionRunsItsStageAndWhatReadsItsFiles) {
  EXPECT_EQ(run(), kAll);
  EXPECT_EQ(run(), Names{});
  EXPECT_EQ(run({"train.lr=0.02"}),
            (Names{"train a", "evaluate a", "train b", "evaluate b", "train popular"}))
      << "backbones too, and popularity comes out the same";
  EXPECT_EQ(run(), (Names{"train a", "evaluate a", "train b", "evaluate b", "train popular"}))
      << "and back again";
  EXPECT_EQ(run({"embed.dimension=5"}), kFromEmbed) << "b starts from phase 1 of a";
  EXPECT_EQ(run(), kFromEmbed);
  EXPECT_EQ(run({"runs.a.objective=hinge"}), (Names{"train a", "evaluate a"})) << "phase 1 is the same";
  EXPECT_EQ(run({"train.checkpoint_seconds=7"}), (Names{"train a", "evaluate a"})) << "that says only how";
}

TEST_F(RealRecipe, DamagedAndMissingFilesAreMadeAgain) {
  run();
  fs::remove(out("runs/a/phase1/users.npy"));
  EXPECT_EQ(run(), (Names{"train a"})) << "and comes out as it was: nothing else runs";
  const std::string items = read_file(out("runs/a/phase1/items.npy"));
  for (const char* file :
       {"runs/a/phase1/items.npy", "runs/a/metrics.jsonl", "runs/a/model/users.npy", "runs/a/result.json"}) {
    change(out(file));
    EXPECT_EQ(run(), (Names{"train a"})) << file;
  }
  EXPECT_EQ(read_file(out("runs/a/phase1/items.npy")), items);
  change(out("data/r/item_summaries.jsonl"));
  EXPECT_EQ(run(), (Names{"extract"}));
  EXPECT_FALSE(fs::exists(out("runs/a/checkpoint.safetensors"))) << "a run that has ended needs none";
}

// Whatever can be known of a later section is told before the first stage works.
TEST_F(RealRecipe, IsCheckedWholeBeforeAnyWork) {
  const struct {
    Names overrides;
    std::vector<std::string_view> words;
  } mistakes[] = {
      {{"runs.popular.model=poplar"}, {"train popular: unknown model 'poplar'", "did you mean 'popular'?"}},
      {{"runs.b.max_radius=-1"}, {"'max_radius'", "0 to 100"}},
      {{"evaluate.metrics=recall,nwcg"}, {"evaluate a: ", "nwcg"}},
      {{"evaluate.ks=0"}, {"'ks'", "1 to 1000000"}},
      {{"evaluate.split=valid", "evaluate.mask=train+valid"}, {"evaluate a: option 'mask'", "use train"}},
      {{"embed.name=a/b"}, {"embed: option 'name'"}},
      {{"embed.encoder=openai"}, {"embed: option 'model'"}},
      {{"extract.extractor=llm"}, {"extract: option 'model'"}},
      {{"extract.extractor=llm", "extract.model=m"}, {"extract: option 'base_url'"}},
      {{"embed.encoder=npy", "embed.items_npy=/nowhere.npy"}, {"embed: needs /nowhere.npy"}},
      {{"runs.a.embeddings=lsi"}, {"train a: needs", "embeddings/lsi/users.npy", "Add an [[embed]]"}},
      {{"runs.b.init_embeddings=runs/z/phase1"}, {"train b: needs runs/z/phase1/users.npy"}},
      {{"runs.a.variant=without_meta", "runs.a.init_embeddings=x"}, {"train a: ", "no phase 1 to replace"}},
      {{"report.format=pdf"}, {"'format'", "markdown"}},
  };
  for (const auto& mistake : mistakes)
    for (const std::string_view word : mistake.words)
      hyperllm::test::expect_error(ErrorCode::kInvalidArgument, {word}, [&] { run(mistake.overrides); });
  EXPECT_FALSE(fs::exists(out("data")));
}

TEST_F(RealRecipe, TagsThatNobodyMakesAreMissedBeforeAnyWork) {
  const std::string text = read_file(folder_ / "r.toml");
  std::string without = text;
  without.erase(without.find("[extract]"), without.find("[train]") - without.find("[extract]"));
  put("r.toml", without);
  hyperllm::test::expect_error(ErrorCode::kInvalidArgument,
                               {"train a: needs", "tags.tsv", "Add [extract] to the recipe"},
                               [&] { run({"runs.a.variant=structural"}); });
  EXPECT_FALSE(fs::exists(out("data")));
}

TEST_F(RealRecipe, TheReportIsPartOfIt) {
  run();
  const auto table = [&](const Names& overrides) {
    std::ostringstream said;
    run_recipe(load_recipe(folder_ / "r.toml", overrides), {}, all_stages(), {}, said);
    return said.str();
  };
  EXPECT_NE(table({"report.format=markdown"}).find("| popular |"), std::string::npos);
  const std::string file = (folder_ / "table.md").string();
  EXPECT_EQ(table({"report.output=" + file, "report.baseline=popular"}).find("popular"), std::string::npos);
  EXPECT_NE(read_file(file).find("popular"), std::string::npos);
}

TEST_F(RealRecipe, OptionsThatAskForAnActionAct) {
  run();
  EXPECT_EQ(run({"extract.retry_failed=true"}), (Names{"extract"}));
  EXPECT_EQ(run({"extract.import_batch=answers.jsonl"}), (Names{"extract"})) << "catalog has no use for it";
}

// Another value that the field takes; "" if there is none.
std::string another(const Field& field) {
  const std::string now = field_text(field);
  for (const std::string& choice : field.choices)
    if (choice != now) return choice;
  if (!field.choices.empty()) return "";
  if (std::holds_alternative<bool*>(field.target)) return now == "true" ? "false" : "true";
  if (std::holds_alternative<std::int64_t*>(field.target)) {
    const auto value = std::stoll(now);
    return std::to_string(static_cast<double>(value) < field.range.most ? value + 1 : value - 1);
  }
  if (std::holds_alternative<double*>(field.target)) {
    const double value = std::stod(now);
    return std::to_string(value < field.range.most ? std::min(field.range.most, value + 0.25) : value / 2);
  }
  if (std::holds_alternative<std::vector<std::int64_t>*>(field.target)) return "3";
  return "another";
}

TEST_F(RealRecipe, EveryOptionCountsAsItsEffectSays) {
  const Recipe recipe = load_recipe(folder_ / "r.toml");
  run();
  const auto call = [&](const std::string& stage) {
    auto made = find_stage(all_stages(), stage).make();
    const FieldList fields = made->fields();
    const std::string dataset = recipe.dataset.string(), folder = run_folder(recipe, "a").string();
    const auto set = [&](const char* name, const std::string& value) {
      assign_field(find_field(fields, name, ""), value);
    };
    if (stage == "prepare") assign_table(*recipe.prepare, fields), set("output", dataset);
    if (stage == "extract") assign_table(*recipe.extract, fields), set("dataset", dataset);
    if (stage == "embed") assign_table(recipe.embed[0], fields), set("dataset", dataset);
    if (stage == "train") assign_table(*recipe.train, fields), set("dataset", dataset), set("output", folder);
    if (stage == "evaluate") set("dataset", dataset), set("run", folder);
    return made;
  };
  for (const std::string stage : {"prepare", "extract", "embed", "train", "evaluate"}) {
    ASSERT_TRUE(is_up_to_date(stage, *call(stage))) << stage;
    for (const Field& known : call(stage)->fields()) {
      if (kLayout.contains(known.name) || known.name == "dry_run" || known.name == "split") continue;
      const auto changed = call(stage);
      const FieldList fields = changed->fields();
      const Field& field = find_field(fields, known.name, "");
      if (another(field).empty()) continue;
      const FieldList counting = result_fields(fields);
      const bool counts = std::any_of(counting.begin(), counting.end(),
                                      [&](const Field& other) { return other.name == field.name; });
      assign_field(field, another(field));
      if (field.effect == Effect::kResult && !counts) {  // of a model that is not this one
        EXPECT_THROW(check_owners(fields), Error) << field.name;
        continue;
      }
      EXPECT_EQ(is_up_to_date(stage, *changed), field.effect == Effect::kHow)
          << stage << " " << field.name << "=" << field_text(field);
    }
  }
}

TEST_F(RealRecipe, AnOptionOfAnotherModelIsRefusedBeforeAnyWork) {
  hyperllm::test::expect_error(
      ErrorCode::kInvalidArgument,
      {"train b: option 'ease_lambda' belongs to the model ease, but 'model' is hgcf", "leave it out"},
      [&] { run({"runs.b.ease_lambda=7"}); });
  hyperllm::test::expect_error(ErrorCode::kInvalidArgument,
                               {"--set train.ease_lambda=7: [train]: option 'ease_lambda' belongs to the "
                                "model ease, which no run uses"},
                               [&] { run({"train.ease_lambda=7"}); });
  EXPECT_FALSE(fs::exists(out("data")));
  EXPECT_EQ(run({"runs.popular.model=ease"}), kAll);
  EXPECT_EQ(run({"runs.popular.model=ease", "train.ease_lambda=7"}),
            (Names{"train popular", "evaluate popular"}))
      << "[train] is for all runs, also those of other models";
  run();
  std::ostringstream said;
  const auto call = find_stage(all_stages(), "train").make();
  const FieldList fields = call->fields();
  for (const auto& [name, value] :
       std::map<std::string, std::string>{{"dataset", out("data/r").string()},
                                          {"output", out("runs/popular").string()},
                                          {"model", "popular"},
                                          {"ease_lambda", "7"}})
    assign_field(find_field(fields, name, ""), value);
  hyperllm::test::expect_error(ErrorCode::kInvalidArgument, {"'ease_lambda' belongs to the model ease"},
                               [&] { run_stage("train", *call, {}, said); });
}

TEST_F(RealRecipe, EveryFileThatAStageReadsCounts) {
  run();
  for (const char* input : {"item.md", "user.md", "repair.md", "rules.tsv"}) {
    change(folder_ / input);
    EXPECT_EQ(run(), (Names{"extract"})) << input;
  }
  const auto starts_with = [&](const char* input, const std::string& first) {
    change(folder_ / input);
    const Names ran = run();
    ASSERT_FALSE(ran.empty()) << input;
    EXPECT_EQ(ran[0], first) << input;
  };
  starts_with("ratings.csv", "prepare");
  starts_with("items.jsonl", "prepare");
  for (const char* part : {"train", "valid"}) {
    const std::string file = "data/r/r." + std::string(part) + ".inter";
    change(out(file));
    EXPECT_EQ(run()[0], "prepare") << file;
  }
}

TEST_F(RealRecipe, AModelThatIsNotWhatTrainingWroteIsRefused) {
  run();
  const auto call = [&](const std::string& stage) {
    const auto made = find_stage(all_stages(), stage).make();
    const FieldList fields = made->fields();
    assign_field(find_field(fields, "dataset", ""), out("data/r").string());
    assign_field(find_field(fields, "run", ""), out("runs/a").string());
    if (stage == "recommend") assign_field(find_field(fields, "users", ""), "u1");
    std::ostringstream text;
    run_stage(stage, *made, {&silent_sink(), {}}, text);
    return text.str();
  };
  EXPECT_NE(call("recommend"), "");
  std::string items = read_file(out("runs/a/model/items.npy"));
  items.back() ^= 1;
  write_file(out("runs/a/model/items.npy"), items);
  for (const char* stage : {"evaluate", "recommend"})
    hyperllm::test::expect_error(ErrorCode::kInvalidData,
                                 {"model/items.npy", "damaged or replaced", "manifest.json"},
                                 [&] { call(stage); });
  fs::remove(out("runs/a/manifest.json"));
  EXPECT_NE(call("recommend"), "") << "a model of one's own needs no manifest";
}

TEST_F(RealRecipe, EveryNumberHasARange) {
  for (const Stage& stage : all_stages()) {
    const auto call = stage.make();
    for (const Field& field : call->fields()) {
      const bool number = std::holds_alternative<std::int64_t*>(field.target) ||
                          std::holds_alternative<double*>(field.target) ||
                          std::holds_alternative<std::vector<std::int64_t>*>(field.target);
      if (!number) continue;
      EXPECT_TRUE(std::isfinite(field.range.least)) << stage.name << " " << field.name;
      EXPECT_TRUE(field.name == "seed" || field.range.most <= 1e16) << stage.name << " " << field.name;
      EXPECT_NO_THROW(assign_field(field, field_text(field))) << stage.name << " " << field.name;
    }
  }
}

}  // namespace
}  // namespace hyperllm::apps
