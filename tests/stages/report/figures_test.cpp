// Figures from run folders made by hand. What gnuplot makes of them is looked at only where it is installed.
#include <cmath>
#include <cstdlib>
#include <sstream>

#include "hyperllm/base/process.h"
#include "hyperllm/data/dataset.h"
#include "hyperllm/data/tags.h"
#include "hyperllm/metrics/evaluation_files.h"
#include "hyperllm/metrics/significance.h"
#include "hyperllm/retrieval/model_files.h"
#include "hyperllm/stages/report/run.h"
#include "tests/support/folder.h"
#include "tests/support/recording_sink.h"

namespace hyperllm::stages::report {
namespace {

namespace fs = std::filesystem;
using test::expect_error;

class ReportFigures : public test::FolderTest {
 protected:
  void SetUp() override {
    FolderTest::SetUp();
    path_ = std::getenv("PATH");
    // User u has u + 1 training items; item i has 10 - i training users.
    data::Dataset dataset;
    dataset.name = "toy";
    for (int id = 0; id < 10; ++id) {
      dataset.users.push_back("u" + std::to_string(id));
      dataset.items.push_back("i" + std::to_string(id));
      for (std::int32_t item = 0; item <= id; ++item) {
        dataset.train.user.push_back(id);
        dataset.train.item.push_back(item);
      }
    }
    dataset.train.rating.assign(dataset.train.user.size(), 5);
    dataset.train.timestamp.assign(dataset.train.user.size(), 0);
    data::save_dataset(dataset, folder_ / "toy");
    users_ = dataset.users;
    items_ = dataset.items;
    options_.runs = {add("hgcf-base/seed-1", 0.2), add("hgcf-base/seed-2", 0.4), add("hgcf-kar", 0.6),
                     add("ease", 0.5)};
    options_.dataset = {(folder_ / "toy").string()};
    options_.baseline = "*-base";
    options_.figures = folder_ / "figures";
    options_.resamples = 50;
  }
  void TearDown() override {
    ::setenv("PATH", path_.c_str(), 1);
    FolderTest::TearDown();
  }

  // User u's recall is `recall` * u / 10; of an item's two held-out interactions one is found, for kar both.
  std::string add(const std::string& name, double recall) const {
    const fs::path run = folder_ / name;
    metrics::PerUser users{{"recall@20"}, users_, {}};
    for (std::size_t u = 0; u < users_.size(); ++u)
      users.values.push_back(recall * static_cast<double>(u) / 10);
    const std::int64_t found = name == "hgcf-kar" ? 2 : 1;
    FileSet files(run);
    metrics::add_evaluation({"toy", metrics::run_name(run), "test", "train", 10, {{"recall@20", recall}}},
                            files);
    metrics::add_per_user(users, "test", files);
    metrics::add_per_item(
        {{20}, items_, std::vector<std::int64_t>(10, 2), std::vector<std::int64_t>(10, found)}, "test",
        files);
    files.commit();
    const bool baseline = name == "ease";
    put(name + "/result.json",
        baseline ? R"({"model": "ease"})" : R"({"model": "hgcf", "best_epoch": 1, "epochs": 2})");
    put(name + "/timing.json",
        baseline
            ? R"({"seconds": 1})"
            : R"({"phase2": {"epochs": 2, "sampling_seconds": 1, "step_seconds": 2, "evaluation_seconds": 1}})");
    if (baseline) return run.string();
    for (int epoch = 0; epoch < 3; ++epoch)
      append_file(run / "metrics.jsonl", "{\"epoch\":" + std::to_string(epoch) + ",\"recall@20\":" +
                                             std::to_string(recall / (1 + std::abs(epoch - 1))) + "}\n");
    artifact::Matrix rows{10, 2, {}};
    for (int i = 0; i < 10; ++i) {
      rows.values.push_back(static_cast<float>(i % 2 ? 1 + 0.01 * i : -1 - 0.02 * i));
      rows.values.push_back(0.3F);
    }
    retrieval::save_embeddings_model(run / "model", {}, rows, rows);
    return run.string();
  }
  std::string figure(const std::string& name) const { return read_file(options_.figures / name); }
  // No program is found.
  void without_gnuplot() const { ::setenv("PATH", folder_.c_str(), 1); }

  std::vector<std::string> users_, items_;
  std::string path_;
  ReportOptions options_;
};

TEST_F(ReportFigures, DataAndScriptsWithoutGnuplot) {
  without_gnuplot();
  test::RecordingSink sink;
  run(options_, {&sink, {}});
  int warnings = 0;
  for (const std::string& message : sink.warnings)
    warnings += message.find("apt-get install gnuplot-nox") != message.npos;
  EXPECT_EQ(warnings, 1);
  for (const char* name :
       {"figure2-ablation", "figure3-curves-hgcf", "figure4-users-hgcf", "figure4-items-hgcf",
        "figure4-users-baselines", "figure5-dendrogram-hgcf-base", "figure5-dendrogram-hgcf-kar"}) {
    EXPECT_FALSE(figure(std::string(name) + ".tsv").empty());
    EXPECT_NE(figure(std::string(name) + ".gp").find("data = '" + std::string(name) + ".tsv'"),
              std::string::npos);
    EXPECT_FALSE(fs::exists(options_.figures / (std::string(name) + ".svg")));
  }
}

TEST_F(ReportFigures, AblationAndCurves) {
  without_gnuplot();
  run(options_, {});
  EXPECT_EQ(figure("figure2-ablation.tsv"),
            "group\tlabel\tx\tmean\tdeviation\truns\n"
            "hgcf\tbase\t0\t0.30000000000000004\t0.14142135623730953\t2\n"
            "hgcf\tkar\t1\t0.6\t\t1\n"
            "baselines\tease\t2.9\t0.5\t\t1\n");
  const std::string curves = figure("figure3-curves-hgcf.tsv");
  EXPECT_NE(curves.find("base\tepoch\t1\t\t0.30000000000000004\t0.2\t0.4\t2\n"), std::string::npos) << curves;
  EXPECT_NE(curves.find("kar\tepoch\t2\t\t0.3\t0.3\t0.3\t1\n"), std::string::npos) << curves;
  // Two epochs in four seconds; a quarter of an epoch on, a quarter of the way between two validations.
  EXPECT_NE(curves.find("kar\tseconds\t\t0.5\t0.375\t0.375\t0.375\t1\n"), std::string::npos) << curves;
  EXPECT_NE(curves.find("kar\tseconds\t\t4\t0.3\t0.3\t0.3\t1\n"), std::string::npos) << curves;
  EXPECT_NE(curves.find("base\tbest\t1\t2\t0.4\t0.4\t0.4\t1\n"), std::string::npos) << curves;
}

// G1 holds u0 and u1 with one and two training items: mean recalls 0.015 and 0.03, a gain of 100 %.
TEST_F(ReportFigures, GroupsByHand) {
  without_gnuplot();
  run(options_, {});
  const std::string users = figure("figure4-users-hgcf.tsv");
  EXPECT_NE(users.find("G1\t2\t1\t2\tbase\t0\t0.015\t"), std::string::npos) << users;
  EXPECT_NE(users.find("G5\t2\t9\t10\tkar\t12.2\t0.51\t"), std::string::npos) << users;
  std::istringstream row(users.substr(users.find("G5\t2\t9\t10\tkar\t")));
  std::vector<std::string> cells;
  for (std::string cell; cells.size() < 12 && std::getline(row, cell, cells.size() < 11 ? '\t' : '\n');)
    cells.push_back(cell);
  ASSERT_EQ(cells.size(), 12u);
  for (std::size_t c = 9; c < 12; ++c)
    EXPECT_NEAR(std::stod(cells[c]), 100, 1e-9) << "all samples gain 100 %";
  const std::string items = figure("figure4-items-hgcf.tsv");
  // The least popular are i9 and i8, with one and two training users; kar finds all four, the base two.
  EXPECT_NE(items.find("G1\t2\t1\t2\tbase\t0\t0.5\t0.5\t0.5\t\t\t\n"), std::string::npos) << items;
  EXPECT_NE(items.find("G1\t2\t1\t2\tkar\t1\t1\t1\t1\t100\t100\t100\n"), std::string::npos) << items;
}

TEST_F(ReportFigures, DendrogramAndItsNumbers) {
  without_gnuplot();
  data::TagGraph tags{{{"odd", 1}, {"even", 1}, {"alone", 2}}, {}, {{2, 0}}};
  for (std::int32_t item = 0; item < 10; ++item) tags.tag_items.emplace_back(item % 2 ? 0 : 1, item);
  data::save_tags(tags, folder_ / "toy", items_);
  const ReportResult result = run(options_, {});
  ASSERT_EQ(result.hierarchy.size(), 2u) << "EASE has no representations";
  const HierarchyRow& row = result.hierarchy[0];
  EXPECT_EQ(row.run, "hgcf-base");
  EXPECT_EQ(row.items, 10);
  EXPECT_GT(row.cophenetic, 0.9);
  ASSERT_TRUE(row.tags);
  EXPECT_EQ(row.tags->labels, 2);
  EXPECT_DOUBLE_EQ(row.tags->purity, 1) << "the two heaps are the two tags";
  EXPECT_NE(result.text.find("cophenetic correlation"), std::string::npos);
  EXPECT_NE(figure("figure5-numbers.tsv").find("hgcf-base\ttangent\t10\t"), std::string::npos);
  // Nine brackets of four corners, an empty line behind each.
  const std::string drawn = figure("figure5-dendrogram-hgcf-base.tsv");
  EXPECT_EQ(std::count(drawn.begin(), drawn.end(), '\n'), 1 + 9 * 5);
  options_.leaves = 4;
  options_.coordinates = "ambient";
  EXPECT_NE(run(options_, {}).hierarchy[0].cophenetic, row.cophenetic);
  const std::string fewer = figure("figure5-dendrogram-hgcf-base.tsv");
  EXPECT_EQ(std::count(fewer.begin(), fewer.end(), '\n'), 1 + 3 * 5);
}

TEST_F(ReportFigures, GnuplotDrawsAll) {
  if (!run_program({"gnuplot", "--version"})) GTEST_SKIP() << "no gnuplot here";
  run(options_, {});
  std::map<std::string, std::string> first;
  for (const auto& entry : fs::directory_iterator(options_.figures)) {
    const fs::path& path = entry.path();
    EXPECT_NE(path.filename().string()[0], '.') << "left behind: " << path;
    if (path.extension() == ".gp") {
      EXPECT_TRUE(read_file(fs::path(path).replace_extension("pdf")).starts_with("%PDF")) << path;
      EXPECT_NE(read_file(fs::path(path).replace_extension("svg")).find("</svg>"), std::string::npos) << path;
    }
    if (path.extension() != ".pdf") first[path.filename().string()] = read_file(path);
  }
  EXPECT_GE(first.size(), 20u);
  fs::remove_all(options_.figures);
  run(options_, {});
  for (const auto& [name, bytes] : first) EXPECT_EQ(figure(name), bytes) << name;
}

TEST_F(ReportFigures, WhatIsMissingIsSaid) {
  without_gnuplot();
  fs::remove(folder_ / "hgcf-kar/per_item.test.tsv");
  fs::remove_all(folder_ / "hgcf-kar/model");
  test::RecordingSink sink;
  run(options_, {&sink, {}});
  bool said = false;
  for (const std::string& message : sink.warnings)
    said = said || (message.find("hgcf-kar was evaluated before items were counted") != message.npos &&
                    message.find("hyperllm evaluate --dataset") != message.npos);
  EXPECT_TRUE(said);
  EXPECT_FALSE(fs::exists(options_.figures / "figure5-dendrogram-hgcf-kar.tsv"));
  EXPECT_EQ(figure("figure4-items-hgcf.tsv").find("kar"), std::string::npos);
}

TEST_F(ReportFigures, BadInput) {
  without_gnuplot();
  const auto expect_option = [&](std::initializer_list<std::string_view> parts, auto&& change) {
    ReportOptions bad = options_;
    change(bad);
    expect_error(ErrorCode::kInvalidArgument, parts, [&] { run(bad, {}); });
  };
  expect_option({"option 'metric'", "did you mean 'recall@20'"}, [](auto& o) { o.metric = "recal@20"; });
  expect_option({"option 'coordinates'"}, [](auto& o) { o.coordinates = "polar"; });
  expect_option({"option 'leaves'"}, [](auto& o) { o.leaves = 1; });
  expect_option({"option 'dataset'", "one dataset"}, [](auto& o) { o.dataset.push_back(o.dataset[0]); });
  expect_option({"option 'dataset' is missing"}, [](auto& o) { o.dataset.clear(); });
  expect_option({"option 'figures' needs runs"}, [](auto& o) {
    o.runs.clear();
    o.tables = {"datasets"};
  });
  data::Dataset other{"other", {"x"}, {"y"}, {{0}, {0}, {5}, {0}}, {}, {}};
  data::save_dataset(other, folder_ / "other");
  options_.dataset = {(folder_ / "other").string()};
  expect_error(ErrorCode::kInvalidData, {"other", "has no user 'u0'", "--dataset"},
               [&] { run(options_, {}); });
}

}  // namespace
}  // namespace hyperllm::stages::report
