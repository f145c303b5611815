#include "hyperllm/data/dataset.h"
#include "hyperllm/metrics/evaluation_files.h"
#include "hyperllm/metrics/significance.h"
#include "hyperllm/stages/report/run.h"
#include "tests/support/folder.h"

namespace hyperllm::stages::report {
namespace {

using metrics::Evaluation;
using test::expect_error;

using Metrics = std::vector<std::pair<std::string, double>>;

class Report : public test::FolderTest {
 protected:
  std::string add(const std::string& name, const Metrics& values, const std::string& mask = "train",
                  std::int64_t users = 3, const std::string& dataset = "toy") const {
    const auto folder = folder_ / name;
    FileSet files(folder);
    metrics::add_evaluation({dataset, metrics::run_name(folder), "test", mask, users, values}, files);
    files.commit();
    return folder.string();
  }
  void add_users(const std::string& name, const std::vector<double>& recall,
                 std::vector<std::string> users = {}) const {
    if (users.empty())
      for (std::size_t u = 0; u < recall.size(); ++u) users.push_back("u" + std::to_string(u));
    FileSet files(folder_ / name);
    metrics::add_per_user({{"recall@10"}, users, recall}, "test", files);
    files.commit();
  }
  ReportOptions with(std::vector<std::string> runs) const {
    ReportOptions options;
    options.runs = std::move(runs);
    return options;
  }
};

TEST_F(Report, TextMarksTheBestOfEachColumn) {
  const auto options = with({add("popularity", {{"recall@10", 0.05}, {"ndcg@10", 0.025}}),
                             add("EASE", {{"recall@10", 0.13429}, {"ndcg@10", 0.081939}}),
                             add("hgcf", {{"recall@10", 0.115}, {"ndcg@10", 0.081939}})});
  EXPECT_EQ(run(options, {}).text,
            "run         recall@10  ndcg@10\n"
            "----------  ---------  -------\n"
            "popularity    0.0500   0.0250\n"
            "EASE          0.1343*  0.0819*\n"
            "hgcf          0.1150   0.0819*\n");
}

TEST_F(Report, MarkdownAndTsv) {
  auto options = with({add("b", {{"recall@10", 0.25}}), add("a", {{"recall@10", 0.125}, {"mrr@5", 0.1}})});
  options.format = "markdown";
  options.digits = 2;
  EXPECT_EQ(run(options, {}).text,
            "| run | recall@10 |    mrr@5 |\n"
            "| --- | --------: | -------: |\n"
            "| b   |  **0.25** |        - |\n"
            "| a   |      0.12 | **0.10** |\n");
  options.format = "tsv";
  EXPECT_EQ(run(options, {}).text,
            "run\truns\trecall@10\trecall@10.sd\tmrr@5\tmrr@5.sd\n"
            "b\t1\t0.25\t\t\t\n"
            "a\t1\t0.125\t\t0.1\t\n");
}

TEST_F(Report, SeedsBecomeOneRowOfMeanAndDeviation) {
  const auto plain = add("plain", {{"recall@10", 0.25}});
  add("hgcf/seed-10", {{"recall@10", 0.3}});
  add("hgcf/seed-2", {{"recall@10", 0.1}});
  add("hgcf/seed-1", {{"recall@10", 0.2}});
  make_folder(folder_ / "hgcf/seed-x");
  const auto options = with({plain, (folder_ / "hgcf").string()});
  const ReportResult result = run(options, {});
  ASSERT_EQ(result.rows.size(), 2u);
  ASSERT_EQ(result.rows[1].folders.size(), 3u);
  EXPECT_EQ(result.rows[1].folders[2].filename(), "seed-10");
  EXPECT_DOUBLE_EQ(result.rows[1].cells[0]->mean, 0.2);
  EXPECT_DOUBLE_EQ(*result.rows[1].cells[0]->deviation, 0.1);
  EXPECT_FALSE(result.rows[0].cells[0]->deviation);
  EXPECT_EQ(result.text,
            "run                    recall@10\n"
            "--------------  ----------------\n"
            "plain                    0.2500*\n"
            "hgcf (3 seeds)  0.2000 \u00b1 0.1000\n");
}

TEST_F(Report, SeedFoldersGivenOneByOneAreAveragedToo) {
  const auto one = add("hgcf/seed-1", {{"recall@10", 0.1}}), two = add("hgcf/seed-2", {{"recall@10", 0.3}});
  const ReportResult result = run(with({one, two + "/"}), {});
  ASSERT_EQ(result.rows.size(), 1u);
  EXPECT_EQ(result.rows[0].name, "hgcf");
  EXPECT_DOUBLE_EQ(result.rows[0].cells[0]->mean, 0.2);
}

TEST_F(Report, EqualNamesAreToldApartByFolder) {
  const auto one = add("x/hgcf", {{"recall@10", 0.1}}), two = add("y/hgcf", {{"recall@10", 0.3}});
  const ReportResult result = run(with({one, two}), {});
  EXPECT_NE(result.rows[0].name, result.rows[1].name);
  EXPECT_TRUE(result.rows[0].name.ends_with("x/hgcf"));
}

TEST_F(Report, RunsThatDoNotCompareAreCalledOut) {
  const auto options = with({add("a", {{"recall@10", 0.1}}), add("b", {{"recall@10", 0.2}}, "train+valid")});
  const ReportResult result = run(options, {});
  ASSERT_EQ(result.warnings.size(), 1u);
  EXPECT_NE(result.warnings[0].find("b: mask train+valid, the first run has train"), std::string::npos);
  EXPECT_NE(result.text.find("\nNote: " + result.warnings[0]), std::string::npos);
}

TEST_F(Report, RunsOfOtherDataAreRefused) {
  const auto a = add("a", {{"recall@10", 0.1}}), b = add("b", {{"recall@10", 0.2}}, "train", 4);
  expect_error(ErrorCode::kInvalidData, {"b: has other users, 4", "Make a report of each"}, [&] {
    run(with({a, b}), {});
  });
  const auto manifest = [&](const std::string& run, const std::string& hash) {
    put(run + "/evaluate.test.manifest.json",
        R"({"options": {"dataset": "nowhere"}, "inputs": {"x/toy.test.inter": ")" + hash + R"("}})");
  };
  const auto c = add("c", {{"recall@10", 0.2}}, "train", 3, "renamed");
  expect_error(ErrorCode::kInvalidData, {"c: has another dataset, renamed"}, [&] { run(with({a, c}), {}); });
  manifest("a", "1");
  manifest("c", "1");
  EXPECT_EQ(run(with({a, c}), {}).rows.size(), 2u) << "one content under two names";
  manifest("c", "2");
  expect_error(ErrorCode::kInvalidData,
               {"c: was evaluated on other interactions", "another dataset or split"}, [&] {
                 run(with({a, c}), {});
               });
  put("d/evaluation.test.json",
      R"({"dataset": "toy", "run": "d", "split": "valid", "mask": "train", "users": 3, "metrics": {"x@1": 1}})");
  expect_error(ErrorCode::kInvalidData, {"d/evaluation.test.json", "of the split 'valid'"}, [&] {
    run(with({a, (folder_ / "d").string()}), {});
  });
}

TEST_F(Report, PairedTestsAgainstABaseline) {
  const std::vector<double> base = {0, 0.5, 1, 0, 0.25, 0.5, 0, 1}, s1 = {0.5, 0.5, 1, 0, 0.5, 1, 0, 1},
                            s2 = {0, 1, 1, 0.5, 0.5, 0.5, 0.5, 1}, worse = {0, 0, 0.5, 0, 0, 0.5, 0, 0.5};
  auto options = with({add("base", {{"recall@10", 0.4}}), add("new/seed-1", {{"recall@10", 0.5}}),
                       add("new/seed-2", {{"recall@10", 0.6}}), add("worse", {{"recall@10", 0.1}})});
  options.baseline = (folder_ / "base").string();
  add_users("base", base);
  add_users("new/seed-1", s1);
  add_users("new/seed-2", s2);
  add_users("worse", worse);
  const ReportResult result = run(options, {});
  ASSERT_EQ(result.comparisons.size(), 2u);
  EXPECT_EQ(result.comparisons[0].run, "new");
  std::vector<double> mean(base.size());
  for (std::size_t i = 0; i < base.size(); ++i) mean[i] = (s1[i] + s2[i]) / 2;
  const auto expected = metrics::paired_test(base, mean, 2000, 1);
  const auto other = metrics::paired_test(base, worse, 2000, 1);
  EXPECT_EQ(result.comparisons[0].test.mean_difference, expected.mean_difference);
  EXPECT_EQ(result.comparisons[0].test.low, expected.low);
  EXPECT_EQ(result.comparisons[1].test.mean_difference, other.mean_difference);
  EXPECT_DOUBLE_EQ(result.comparisons[0].test.t_test_p, 2 * std::min(expected.t_test_p, other.t_test_p));
  EXPECT_NE(result.text.find("Difference from base, paired by user"), std::string::npos);
  EXPECT_NE(result.text.find("+0.1875"), std::string::npos) << result.text;
  EXPECT_EQ(run(options, {}).text, result.text);
  EXPECT_EQ(result.comparisons[0].baseline, "base");
  EXPECT_DOUBLE_EQ(result.comparisons[0].gain, 0.1875 / 0.40625);
  EXPECT_NE(result.text.find("+46.15%"), std::string::npos) << result.text;
  options.baseline = "base";  // as the table prints it
  EXPECT_EQ(run(options, {}).text, result.text);
}

TEST_F(Report, APatternGivesEachRowItsOwnBaseline) {
  ReportOptions options;
  for (const char* name :
       {"hgcf-base", "hgcf-kar", "hrcf-base", "hrcf-kar", "hrcf-x-base", "hrcf-x-kar", "ease"}) {
    options.runs.push_back(add(name, {{"recall@10", 0.4}}));
    add_users(name, {0, 0.5, 1});
  }
  options.baseline = "*-base";
  const ReportResult result = run(options, {});
  ASSERT_EQ(result.comparisons.size(), 3u);
  EXPECT_EQ(result.comparisons[0].run + " " + result.comparisons[0].baseline, "hgcf-kar hgcf-base");
  EXPECT_EQ(result.comparisons[1].run + " " + result.comparisons[1].baseline, "hrcf-kar hrcf-base");
  EXPECT_EQ(result.comparisons[2].run + " " + result.comparisons[2].baseline, "hrcf-x-kar hrcf-x-base");
  EXPECT_NE(result.text.find("Difference from *-base"), std::string::npos);
  for (const char* bad : {"*-bass", "*x*", "hgcf-bse", "elsewhere"}) {
    options.baseline = bad;
    expect_error(ErrorCode::kInvalidArgument, {"option 'baseline'", bad}, [&] { run(options, {}); });
  }
  options.baseline = "hgcf-bse";
  expect_error(ErrorCode::kInvalidArgument, {"did you mean 'hgcf-base'", "Rows: hgcf-base, hgcf-kar"},
               [&] { run(options, {}); });
}

TEST_F(Report, PublishedValuesStandBesideOurs) {
  auto options =
      with({add("hgcf-base", {{"recall@10", 0.12}, {"ndcg@10", 0.06}}), add("ours", {{"recall@10", 0.1}})});
  options.published = put("published.tsv",
                          "run\tdataset\tmetric\tvalue\tsource\n"
                          "hgcf-base\ttoy\trecall@10\t0.115\tTable 3\n"
                          "hgcf-base\ttoys\trecall@10\t0.2\tTable 3\n"
                          "hgcf-base\ttoy\tseconds\t39\tTable 4\n");
  options.tables = {"results", "training"};
  EXPECT_EQ(run(options, {}).text,
            "run        recall@10  published  ndcg@10\n"
            "---------  ---------  ---------  -------\n"
            "hgcf-base    0.1200*     0.1150  0.0600*\n"
            "ours         0.1000           -       -\n"
            "\n"
            "run        epochs  best epoch  seconds to best  seconds  published\n"
            "---------  ------  ----------  ---------------  -------  ---------\n"
            "hgcf-base       -           -                -        -         39\n"
            "ours            -           -                -        -          -\n");
  options.tables = {"results"};
  options.format = "csv";
  EXPECT_EQ(run(options, {}).text,
            "run,runs,recall@10,recall@10.sd,recall@10.published,ndcg@10,ndcg@10.sd\n"
            "hgcf-base,1,0.12,,0.115,0.06,\n"
            "ours,1,0.1,,,,\n");
  options.published_dataset = "toys";
  EXPECT_EQ(run(options, {}).rows[0].published[0], 0.2);
  options.published_dataset = "books";
  expect_error(ErrorCode::kInvalidArgument,
               {"published.tsv", "no dataset 'books'", "--published-dataset", "toy, toys"},
               [&] { run(options, {}); });
  options.published = put("bad.tsv", "dataset\trun\tvalue\n");
  expect_error(ErrorCode::kInvalidData, {"bad.tsv:1", "'metric'", "is missing"}, [&] { run(options, {}); });
  options.published = put("twice.tsv", "dataset\trun\tmetric\tvalue\nbooks\ta\tb\t1\nbooks\ta\tb\t2\n");
  expect_error(ErrorCode::kInvalidData, {"twice.tsv:3", "second value"}, [&] { run(options, {}); });
}

// Phase 1 took 2 epochs of 3 s; of phase 2 the last call timed 2 of 4 epochs, 0.5 s each.
TEST_F(Report, TrainingTimes) {
  const auto trained = add("hgcf", {{"recall@10", 0.1}}), baseline = add("ease", {{"recall@10", 0.2}});
  put("hgcf/result.json", R"({"model": "hgcf", "variant": "hyperllm", "best_epoch": 3, "epochs": 4})");
  put("hgcf/timing.json",
      R"({"load_seconds": 9, "phase1": {"epochs": 2, "sampling_seconds": 1, "step_seconds": 4, "evaluation_seconds": 1},
          "phase2": {"epochs": 2, "sampling_seconds": 0, "step_seconds": 1, "evaluation_seconds": 0}, "seconds": 16})");
  put("hgcf/phase1.metrics.jsonl", "{\"epoch\":0,\"recall@20\":0.1}\n{\"epoch\":2,\"recall@20\":0.2}\n");
  put("hgcf/metrics.jsonl", "{\"epoch\":0,\"recall@20\":0.1}\n{\"epoch\":4,\"loss\":1,\"recall@20\":0.2}\n");
  put("ease/result.json", R"({"model": "ease"})");
  put("ease/timing.json", R"({"load_seconds": 1, "seconds": 3.5, "peak_memory": 1})");
  auto options = with({trained, baseline});
  options.tables = {"training"};
  const ReportResult result = run(options, {});
  ASSERT_EQ(result.training.size(), 2u);
  EXPECT_EQ(result.training[0].epochs->mean, 4);
  EXPECT_EQ(result.training[0].best_epoch->mean, 3);
  EXPECT_DOUBLE_EQ(result.training[0].seconds->mean, 8);
  EXPECT_DOUBLE_EQ(result.training[0].seconds_to_best->mean, 7.5);
  EXPECT_FALSE(result.training[1].epochs);
  EXPECT_EQ(result.training[1].seconds->mean, 3.5);
  ASSERT_EQ(result.warnings.size(), 1u);
  EXPECT_EQ(
      result.text,
      "run   epochs  best epoch  seconds to best  seconds\n"
      "----  ------  ----------  ---------------  -------\n"
      "hgcf       4           3              7.5        8\n"
      "ease       -           -              3.5      3.5\n"
      "\n"
      "Note: stopped and continued, so that seconds are those of the epochs that the last call timed, scaled "
      "to all of them: hgcf.\n");
  put("hgcf/metrics.jsonl", "{\"epoch\":0}\n{\"epo");
  expect_error(ErrorCode::kInvalidData, {"hgcf/metrics.jsonl:2", "'epoch'"}, [&] { run(options, {}); });
}

TEST_F(Report, DatasetsAsTables) {
  data::save_dataset({"shop", {"a", "b"}, {"x"}, {{0}, {0}, {1}, {0}}, {}, {{1}, {0}, {1}, {0}}},
                     folder_ / "shop");
  ReportOptions options;
  options.tables = {"datasets"};
  options.dataset = {(folder_ / "shop").string()};
  options.format = "csv";
  EXPECT_EQ(run(options, {}).text,
            "Dataset,Users,Items,User-Item,Density,Train,Valid,Test,Features,Avg Token\n"
            "shop,2,1,2,1.000000,1,0,1,,\n");
  options.dataset.clear();
  options.runs = {add("a", {{"recall@10", 0.1}})};
  expect_error(ErrorCode::kInvalidArgument, {"option 'dataset' is missing", "--dataset"},
               [&] { run(options, {}); });
  put("a/evaluate.test.manifest.json", R"({"options": {"dataset": ")" + (folder_ / "shop").string() + "\"}}");
  EXPECT_EQ(run(options, {}).datasets[0].users, 2);
}

TEST_F(Report, UsersThatCannotBePaired) {
  auto options = with({add("base", {{"recall@10", 0.4}}), add("other", {{"recall@10", 0.5}})});
  options.baseline = (folder_ / "base").string();
  add_users("base", {0, 1});
  expect_error(ErrorCode::kIo, {"other/per_user.test.tsv", "Run `evaluate`"}, [&] { run(options, {}); });
  add_users("other", {0, 1}, {"u0", "u7"});
  expect_error(ErrorCode::kInvalidData, {"other", "users cannot be paired"}, [&] { run(options, {}); });
}

TEST_F(Report, BadInput) {
  const auto good = add("good", {{"recall@10", 0.4}});
  expect_error(ErrorCode::kInvalidArgument, {"no run given"}, [&] { run(with({}), {}); });
  expect_error(ErrorCode::kIo, {"nowhere", "evaluation.test.json", "Run `evaluate`"}, [&] {
    run(with({good, (folder_ / "nowhere").string()}), {});
  });
  expect_error(ErrorCode::kInvalidArgument, {"good", "given twice"}, [&] { run(with({good, good}), {}); });
  put("broken/evaluation.test.json", "{\"dataset\": ");
  expect_error(ErrorCode::kInvalidData, {"broken/evaluation.test.json", "not a JSON object"},
               [&] { run(with({(folder_ / "broken").string()}), {}); });
  const auto expect_option = [&](std::string_view part, auto&& change) {
    ReportOptions bad = with({good});
    change(bad);
    expect_error(ErrorCode::kInvalidArgument, {part}, [&] { run(bad, {}); });
  };
  expect_option("option 'format'", [](auto& o) { o.format = "html"; });
  expect_option("option 'split'", [](auto& o) { o.split = "train"; });
  expect_option("option 'tables': expected any of datasets, results, training, got 'result'; did you mean",
                [](auto& o) { o.tables = {"result"}; });
  expect_option("option 'tables'", [](auto& o) { o.tables = {}; });
  ReportOptions missing = with({good});
  missing.published = folder_ / "missing.tsv";
  expect_error(ErrorCode::kIo, {"missing.tsv: No such file", "dataset, run, metric, value"},
               [&] { check(missing); });
  expect_option("option 'published_dataset'", [](auto& o) { o.published_dataset = "x"; });
  expect_option("option 'digits'", [](auto& o) { o.digits = 0; });
  expect_option("option 'resamples'", [](auto& o) { o.resamples = 0; });
  expect_option("option 'seed'", [](auto& o) { o.seed = -1; });
}

TEST_F(Report, WritesTheFile) {
  auto options = with({add("a", {{"recall@10", 0.1}})});
  options.output = folder_ / "tables/all.txt";
  const std::string text = run(options, {}).text;
  EXPECT_EQ(read_file(options.output), text);
}

}  // namespace
}  // namespace hyperllm::stages::report
