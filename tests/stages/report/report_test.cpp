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
                  std::int64_t users = 3) const {
    const auto folder = folder_ / name;
    FileSet files(folder);
    metrics::add_evaluation({"toy", metrics::run_name(folder), "test", mask, users, values}, files);
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
  const auto options =
      with({add("a", {{"recall@10", 0.1}}), add("b", {{"recall@10", 0.2}}, "train+valid", 4)});
  const ReportResult result = run(options, {});
  ASSERT_EQ(result.warnings.size(), 2u);
  EXPECT_NE(result.warnings[0].find("b: mask train+valid, the first run has train"), std::string::npos);
  EXPECT_NE(result.warnings[1].find("users 4, the first run has 3"), std::string::npos);
  EXPECT_NE(result.text.find("\nNote: " + result.warnings[0]), std::string::npos);
}

TEST_F(Report, PairedTestsAgainstABaseline) {
  const std::vector<double> base = {0, 0.5, 1, 0, 0.25, 0.5, 0, 1}, s1 = {0.5, 0.5, 1, 0, 0.5, 1, 0, 1},
                            s2 = {0, 1, 1, 0.5, 0.5, 0.5, 0.5, 1}, worse = {0, 0, 0.5, 0, 0, 0.5, 0, 0.5};
  auto options = with({add("base", {{"recall@10", 0.4}}), add("new/seed-1", {{"recall@10", 0.5}}),
                       add("new/seed-2", {{"recall@10", 0.6}}), add("worse", {{"recall@10", 0.1}})});
  options.baseline = folder_ / "base";
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
}

TEST_F(Report, UsersThatCannotBePaired) {
  auto options = with({add("base", {{"recall@10", 0.4}}), add("other", {{"recall@10", 0.5}})});
  options.baseline = folder_ / "base";
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
  expect_option("option 'format'", [](auto& o) { o.format = "latex"; });
  expect_option("option 'split'", [](auto& o) { o.split = "train"; });
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
