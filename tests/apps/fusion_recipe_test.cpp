// A fusion as a row of a recipe: its members are rows above it, or finished runs.
#include <gtest/gtest.h>

#include <sstream>

#include "hyperllm/apps/pipeline.h"
#include "tests/support/folder.h"
#include "tests/support/planted_dataset.h"
#include "tests/support/recording_sink.h"

namespace hyperllm::apps {
namespace {

namespace fs = std::filesystem;
using Names = std::vector<std::string>;

class FusionRecipe : public hyperllm::test::FolderTest {
 protected:
  void SetUp() override {
    FolderTest::SetUp();
    hyperllm::test::write_planted_dataset(folder_ / "planted");
  }

  // The steps that ran, in order.
  Names run(const std::string& runs, const Names& overrides = {}) {
    const std::string text = "name = 'r'\noutput = '" + (folder_ / "out").string() + "'\ndataset = '" +
                             (folder_ / "planted").string() + "'\n" + runs;
    hyperllm::test::RecordingSink sink;
    std::ostringstream out;
    run_recipe(load_recipe(put("r.toml", text), overrides), {}, all_stages(), {&sink, {}}, out);
    said_ = out.str();
    Names ran;
    for (const std::string& line : sink.infos)
      if (line.starts_with("== ") && !line.ends_with(": up to date") && line != "== report")
        ran.push_back(line.substr(3));
    return ran;
  }
  void refuses(const std::string& runs, std::initializer_list<std::string_view> parts) {
    hyperllm::test::expect_error(ErrorCode::kInvalidArgument, parts, [&] { run(runs); });
    EXPECT_FALSE(fs::exists(folder_ / "out")) << "told before any work";
  }
  // A stage called by hand.
  std::string call(const std::string& stage,
                   const std::vector<std::pair<std::string, std::string>>& options) {
    const auto made = find_stage(all_stages(), stage).make();
    const FieldList fields = made->fields();
    for (const auto& [name, text] : options) assign_field(find_field(fields, name, ""), text);
    std::ostringstream out;
    run_stage(stage, *made, {&silent_sink(), {}}, out);
    return out.str();
  }
  std::string at(const std::string& name) const { return (folder_ / name).string(); }

  std::string said_;
};

const std::string kRuns =
    "[runs.popular]\nmodel = 'popular'\n"
    "[runs.ease]\nmodel = 'ease'\nease_tag_weight = 1\nease_embedding_weight = 2\nease_dropout = 0.5\n"
    "embeddings = 'planted'\n"
    "[runs.fused]\nmodel = 'fusion'\nfusion_members = ['ease', 'popular']\n";
const Names kAll = {"train popular", "evaluate popular", "train ease",
                    "evaluate ease", "train fused",      "evaluate fused"};

TEST_F(FusionRecipe, IsTrainedAfterItsMembersAndAgainWhenTheyChange) {
  EXPECT_EQ(run(kRuns), kAll);
  EXPECT_NE(said_.find("fused"), std::string::npos) << said_;
  EXPECT_EQ(run(kRuns), Names{});
  EXPECT_EQ(run(kRuns, {"runs.ease.ease_lambda=3"}),
            (Names{"train ease", "evaluate ease", "train fused", "evaluate fused"}));
  EXPECT_EQ(run(kRuns, {"runs.ease.ease_lambda=3", "runs.fused.fusion_weights=1,2"}),
            (Names{"train fused", "evaluate fused"}));
}

TEST_F(FusionRecipe, WhatEaseReadsBesideCounts) {
  run(kRuns);
  std::ofstream(folder_ / "planted/tag_items.tsv", std::ios::app) << "3\ti0\n";
  EXPECT_EQ(run(kRuns)[0], "train ease");
  artifact::Matrix items = hyperllm::test::planted_rows(40, "others");
  hyperllm::test::write_matrix(folder_ / "planted/embeddings/planted/items.npy", items);
  EXPECT_EQ(run(kRuns)[0], "train ease");
  items.rows = 39;
  items.values.resize(39 * 6);
  hyperllm::test::write_matrix(folder_ / "planted/embeddings/planted/items.npy", items);
  hyperllm::test::expect_error(ErrorCode::kInvalidData, {"items.npy", "has 39 rows, the dataset has 40"},
                               [&] { run(kRuns); });
}

TEST_F(FusionRecipe, AnswersLikeAnyModelUntilAMemberChanges) {
  run(kRuns);
  const auto recommend = [&] {
    return call("recommend", {{"dataset", at("planted")}, {"run", at("out/runs/fused")}, {"users", "u1"}});
  };
  EXPECT_NE(recommend().find("user u1 (8 training items)"), std::string::npos);
  call(
      "train",
      {{"dataset", at("planted")}, {"output", at("out/runs/ease")}, {"model", "ease"}, {"ease_lambda", "3"}});
  hyperllm::test::expect_error(
      ErrorCode::kInvalidData,
      {"ease/model/weights.npy", "has changed since the fusion", "Train the fusion again"}, recommend);
}

TEST_F(FusionRecipe, MistakesAreToldBeforeAnyWork) {
  refuses("[runs.fused]\nmodel = 'fusion'\nfusion_members = ['a', 'b']\n[runs.a]\n[runs.b]\n",
          {"train fused: uses the run 'a', which stands below it", "move it above"});
  refuses(kRuns + "[runs.more]\nmodel = 'fusion'\nfusion_members = ['ease', 'easy']\n",
          {"train more: needs easy/model/model.json", "Name runs that stand above this one"});
  refuses(kRuns + "[runs.more]\nmodel = 'fusion'\n", {"train more: ", "two runs or more, got 0"});
  refuses(kRuns + "[runs.more]\nmodel = 'fusion'\nfusion_members = ['ease', 'fused']\nfusion_weights = [1]\n",
          {"train more: option 'fusion_weights'", "each of the 2 members, got 1"});
  fs::remove(folder_ / "planted/tags.tsv");
  refuses(kRuns, {"train ease: needs", "tags.tsv", "Add [extract]", "'ease_tag_weight' 0"});
}

TEST_F(FusionRecipe, TakesTheMembersOfItsOwnSeed) {
  const std::string seeds =
      "seeds = [4, 2]\n[train]\nmodel = 'ials'\nials_dim = 4\n[runs.ials]\n[runs.one]\nseeds = [9]\n"
      "[runs.fused]\nmodel = 'fusion'\nfusion_members = ['ials', 'one']\n";
  run(seeds);
  for (const char* seed : {"4", "2"}) {
    const std::string model =
        read_file(folder_ / "out/runs/fused" / (std::string("seed-") + seed) / "model/model.json");
    EXPECT_NE(model.find(std::string("ials/seed-") + seed + "\""), std::string::npos) << model;
    EXPECT_NE(model.find("one/seed-9\""), std::string::npos) << model;
  }
  run(seeds +
      "[runs.more]\nseeds = [7]\nmodel = 'fusion'\nfusion_members = ['ials/seed-4', 'ials/seed-2']\n");
  hyperllm::test::expect_error(
      ErrorCode::kInvalidArgument, {"train more/seed-7: the run 'ials' has several seeds", "'ials/seed-4'"},
      [&] { run(seeds + "[runs.more]\nseeds = [7]\nmodel = 'fusion'\nfusion_members = ['ials', 'one']\n"); });
}

TEST_F(FusionRecipe, MembersOfAnotherDatasetAreRefused) {
  run(kRuns);
  hyperllm::test::PlantedOptions other;
  other.train = 6;
  hyperllm::test::write_planted_dataset(folder_ / "planted", other);
  hyperllm::test::expect_error(
      ErrorCode::kInvalidData, {"runs/ease/manifest.json", "planted.train.inter"}, [&] {
        call("train", {{"dataset", at("planted")},
                       {"output", at("new")},
                       {"model", "fusion"},
                       {"fusion_members", at("out/runs/ease") + "," + at("out/runs/popular")}});
      });
}

}  // namespace
}  // namespace hyperllm::apps
