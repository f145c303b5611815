// What [search] may say, with the real stages' options; nothing is trained here.
#include "hyperllm/apps/search_plan.h"

#include <gtest/gtest.h>

#include "hyperllm/apps/recipe_text.h"
#include "hyperllm/apps/search_results.h"
#include "tests/support/folder.h"

namespace hyperllm::apps {
namespace {

using hyperllm::test::expect_error;

constexpr const char* kRecipe = R"(name = "mine"
[prepare]
input = "ratings.csv"
[train]
epochs = 135
[runs.hgcf]
variant = "base"
objective = "hinge"
[runs.softmax]
variant = "base"
objective = "softmax"
[runs."k.nn"]
model = "item_knn"
[search]
)";

class SearchPlanTest : public hyperllm::test::FolderTest {
 protected:
  Recipe recipe(const std::string& search, const std::vector<std::string>& overrides = {}) const {
    return load_recipe(put("r.toml", kRecipe + search), overrides);
  }
  SearchPlan plan(const std::string& search, const std::vector<std::string>& overrides = {}) const {
    return plan_search(recipe(search, overrides), all_stages());
  }
  void refused(std::initializer_list<std::string_view> words, const std::string& search) const {
    SCOPED_TRACE(search);
    expect_error(ErrorCode::kInvalidArgument, words, [&] { plan(search); });
  }
};

TEST_F(SearchPlanTest, EachRunHasItsSpaceAndItsRungs) {
  const Recipe of = recipe(R"(
method = "halving"
trials = 20
min_epochs = 5
[search.space]
lr = {low = 1e-4, high = 1e-1, log = true}
layers = {low = 2, high = 4}
momentum_from_gradient = [true, false]
[search.spaces."k.nn"]
item_knn_neighbours = [50, 100, 200]
)");
  const SearchPlan plan = plan_search(of, all_stages());
  EXPECT_EQ(plan.folder, "runs/mine/search/study");
  ASSERT_EQ(plan.runs.size(), 3u);
  EXPECT_EQ(plan.runs[0].points.size(), 20u);
  EXPECT_EQ(plan.runs[0].rungs, (std::vector<std::int64_t>{5, 15, 45, 135}));
  EXPECT_TRUE(plan.runs[0].space.dimensions()[1].whole) << "layers takes whole numbers";
  EXPECT_EQ(plan.runs[2].points.size(), 3u) << "the whole space";
  EXPECT_EQ(plan.runs[2].rungs.size(), 1u) << "a baseline has no epochs to halve";
  const Step step = trial_step(of, plan, plan.runs[1], 7, all_stages());
  EXPECT_EQ(step.call->manifest(), "runs/mine/search/study/softmax/trial-008/manifest.json");
  for (const auto& [option, value] : plan.runs[1].points[7])
    EXPECT_EQ(field_text(find_field(step.call->fields(), option, "")), value);
  EXPECT_EQ(field_text(find_field(step.call->fields(), "objective", "")), "softmax");
}

TEST_F(SearchPlanTest, MistakesAreToldWithTheirPlaceBeforeAnyTrial) {
  const std::string space = "[search.space]\nmargin = [1, 2]\n", one = "runs = 'hgcf'\n";
  refused({"r.toml:15: [search]: unknown key 'trails'; did you mean 'trials'?"}, "trails = 3\n" + space);
  refused({"r.toml:15: [search]: ", "'metric'", "recall@10, recall@20, ndcg@10, ndcg@20, score", "ndcg@50"},
          "metric = 'ndcg@50'\n" + space);
  refused({"'method'", "grid, random, halving"}, "method = 'tpe'\n" + space);
  refused({"r.toml:15: [search]: the recipe has no run 'hgfc'; did you mean 'hgcf'?"},
          "runs = 'hgfc'\n" + space);
  refused({"'hgcf' stands there twice"}, "runs = ['hgcf', 'hgcf']\n" + space);
  refused({"r.toml:17: [search.space]: unknown key 'margni'; did you mean 'margin'?"},
          one + "[search.space]\nmargni = [1]\n");
  refused({"r.toml:17: [search.space]: 'margin': low 3, high 1: low must be below high"},
          one + "[search.space]\nmargin = {low = 3, high = 1}\n");
  refused({"r.toml:17", "[search.space.margin]: unknown key 'lo'"},
          one + "[search.space]\nmargin = {lo = 3, high = 1}\n");
  refused({"'margin': a range has both"}, one + "[search.space]\nmargin = {low = 3}\n");
  refused({"r.toml:17: [search.space]", "option 'margin': expected 0 to 10000, got '-1'"},
          one + "[search.space]\nmargin = {low = -1, high = 1}\n");
  refused({"'layers': expected a whole number, got 2.5"}, one + "[search.space]\nlayers = [2, 2.5]\n");
  refused({"'layers'", "whole"}, one + "[search.space]\nlayers = {low = 1.5, high = 3}\n");
  refused({"'objective' is no number"}, one + "[search.space]\nobjective = {low = 1, high = 3}\n");
  refused({"'checkpoint_seconds' decides no result"}, one + "[search.space]\ncheckpoint_seconds = [1, 2]\n");
  refused({"'margin' must be a list of values"}, one + "[search.space]\nmargin = 3\n");
  refused({"'margin' must be a list of values"}, one + "[search.space]\nmargin = []\n");
  refused({"'output' follows from the top"}, one + "[search.space]\noutput = ['a', 'b']\n");
  refused({"hgcf/trial-001", "'softmax_tau'", "objective", "softmax"},
          one + "[search.space]\nsoftmax_tau = [0.1, 0.2]\n");
  refused({"'margin' says nothing to the run 'k.nn'", "[search.spaces.k.nn]"}, space);
  refused({"no space for the run 'hgcf'"}, one);
  refused({"[search.spaces.hgfc]: the recipe has no run of that name"},
          one + space + "[search.spaces.hgfc]\nmargin = [1]\n");
  refused({"[search.space]: each run has a space of its own"},
          one + space + "[search.spaces]\nhgcf = {margin = [1]}\nsoftmax = {margin = [1]}\n'k.nn' = {}\n");
  refused({"'epochs': halving decides on epochs itself"},
          one + "method = 'halving'\n[search.space]\nepochs = [10, 20]\n");
  refused({"the grid of hgcf has 4 points, 'trials' is 3"},
          one + "method = 'grid'\ntrials = 3\n[search.space]\nmargin = [1, 2]\nlayers = [1, 2]\n");
  refused({"a grid needs a list"}, one + "method = 'grid'\n[search.space]\nmargin = {low = 1, high = 2}\n");
  refused({"unknown table 'search.speces'; did you mean 'search.spaces'?"},
          one + space + "[search.speces]\n");
  expect_error(ErrorCode::kInvalidArgument, {"no [search]"},
               [&] { plan_search(load_recipe(put("x.toml", "[train]\n")), all_stages()); });
}

TEST_F(SearchPlanTest, OverridesReachTheSearch) {
  const SearchPlan plan = this->plan(
      "runs = 'hgcf'\nmethod = 'grid'\n[search.space]\nmargin = [1, 2]\n",
      {"search.space.margin=3,4,5", "search.metric=recall@10", "search.space.layers=2", "search.name=other"});
  ASSERT_EQ(plan.runs[0].points.size(), 3u);
  EXPECT_EQ(plan.runs[0].points[2], (search::Settings{{"margin", "5"}, {"layers", "2"}}));
  EXPECT_EQ(plan.options.metric, "recall@10");
  EXPECT_EQ(plan.folder.filename(), "other");
}

TEST_F(SearchPlanTest, TheBudgetDecidesNoStudyAndAllElseDoes) {
  const std::string space = "[search.space]\nmargin = {low = 1, high = 2}\n", one = "runs = 'hgcf'\n";
  const auto identity = [&](const std::string& search, const std::vector<std::string>& overrides = {}) {
    return plan(search, overrides).identity;
  };
  const auto base = identity(one + space);
  EXPECT_EQ(base, identity(one + "trials = 7\nepochs = 100\nminutes = 3\n" + space));
  EXPECT_NE(base, identity(one + "seed = 2\n" + space));
  EXPECT_NE(base, identity(one + "metric = 'recall@20'\n" + space));
  EXPECT_NE(base, identity(one + "[search.space]\nmargin = {low = 1, high = 2.5}\n"));
  EXPECT_NE(base, identity(one + space, {"train.batch_size=77"}));
  EXPECT_EQ(base, identity(one + space, {"train.checkpoint_seconds=7"}));
}

TEST_F(SearchPlanTest, TheBestIsARecipeThatSaysTheSameAndMore) {
  const Recipe of = recipe(
      R"(runs = ["hgcf", "k.nn"]
method = "grid"
[search.space]
margin = [1, 2]
[search.spaces."k.nn"]
item_knn_neighbours = [50, 100]
)",
      {"report.baseline=hg\\\"cf", "evaluate.ks=5,10", "seeds=1,2", "runs.hgcf.seeds=3,4", "threads=2"});
  const SearchPlan plan = plan_search(of, all_stages());
  std::vector<SearchedTrials> results;
  for (const SearchedRun& run : plan.runs) results.push_back({&run, {}});
  results[0].trials = {{0, false, "", {{0.1, 10, 5, 1, {{"ndcg@20", 0.1}}}}},
                       {1, false, "", {{0.3, 10, 5, 1, {{"ndcg@20", 0.3}}}}}};
  results[1].trials = {{0, false, "is\tbroken", {}}};
  const std::string text = best_recipe(of, plan, results, all_stages());
  const Recipe best = load_recipe(put("best.toml", text));
  EXPECT_FALSE(best.search);
  EXPECT_EQ(best.name, "mine-best");
  EXPECT_EQ(best.output, "runs/mine/search/study/best");
  EXPECT_EQ(best.dataset, "runs/mine/data/mine");
  EXPECT_EQ(best.threads, 2);
  EXPECT_EQ(best.seeds, (std::vector<std::int64_t>{1, 2}));
  ASSERT_EQ(best.runs.size(), 3u);
  EXPECT_EQ(best.runs[0].values.back().first, "margin");
  EXPECT_EQ(best.runs[0].values.back().second.text, "2");
  EXPECT_EQ(best.runs[2].name, "runs.k.nn");
  EXPECT_EQ(best.runs[2].values.size(), 1u) << "no trial of it ended well";
  EXPECT_EQ(best.report->values[0].second.text, "hg\\\"cf");
  EXPECT_EQ(recipe_text(best, all_stages()),
            recipe_text(load_recipe(put("again.toml", recipe_text(best, all_stages()))), all_stages()));
  const std::string table = search_table(plan, results);
  EXPECT_NE(table.find("hgcf: 2 of 2 trials; 20 epochs in 0:02 of training"), std::string::npos) << table;
  EXPECT_NE(table.find("k.nn: 1 of 2 trials, 1 failed"), std::string::npos) << table;
  EXPECT_LT(table.find("0.3000"), table.find("0.1000")) << table;
  const std::string lines = trials_tsv(plan, results);
  EXPECT_NE(lines.find("\nhgcf\t2\tbest\t1\t10\t5\t\t\t\t0.29999999999999999\t2\t\t\n"), std::string::npos)
      << lines;
  EXPECT_NE(lines.find("\nk.nn\t1\tfailed\t0\t0\t0\t\t\t\t\t\t50\tis broken\n"), std::string::npos) << lines;
}

}  // namespace
}  // namespace hyperllm::apps
