// The authors' data, published phase-1 embeddings and logged losses.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "hyperllm/metrics/evaluate_ranking.h"
#include "hyperllm/retrieval/model_files.h"
#include "hyperllm/stages/prepare/run.h"
#include "hyperllm/stages/train/run.h"
#include "tests/support/folder.h"

namespace hyperllm::stages::train {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

class TrainOnBeauty : public test::FolderTest {
 protected:
  void SetUp() override {
    FolderTest::SetUp();
    const fs::path beauty = test::beauty_folder();
    if (beauty.empty()) GTEST_SKIP() << "amazon-beauty is not here";
    prepare::PrepareOptions prepare;
    prepare.input = {beauty.string()};
    prepare.output = folder_ / "beauty";
    prepare::run(prepare, {});
    make_folder(folder_ / "phase1");
    fs::create_symlink(fs::absolute(beauty / "phase1_user_embeddings.npy"), folder_ / "phase1" / "users.npy");
    fs::create_symlink(fs::absolute(beauty / "phase1_item_embeddings.npy"), folder_ / "phase1" / "items.npy");
  }

  // The settings of the authors' HGCF runs.
  TrainOptions options(const std::string& variant, std::int64_t epochs) const {
    TrainOptions out;
    out.objective = "auto";
    out.lr = 1e-3;
    out.dataset = folder_ / "beauty";
    out.output = folder_ / "run";
    out.set("variant", variant);
    if (variant != "base") out.set("init_embeddings", (folder_ / "phase1").string());
    out.epochs = epochs;
    out.sampling = "paper";
    out.momentum_from_gradient = true;
    out.checkpoint_seconds = 1e9;
    return out;
  }

  std::vector<json> log() const {
    std::vector<json> lines;
    std::istringstream text(read_file(folder_ / "run" / "metrics.jsonl"));
    for (std::string line; std::getline(text, line);) lines.push_back(json::parse(line));
    return lines;
  }
};

TEST_F(TrainOnBeauty, TheAuthorsPhase1EmbeddingsGiveTheirMetrics) {
  run(options("semantic", 0), {});
  const json start = log().at(0);
  EXPECT_NEAR(start.at("recall@10").get<double>(), 0.0982, 5e-5);
  EXPECT_NEAR(start.at("recall@20").get<double>(), 0.1504, 5e-5);
  EXPECT_NEAR(start.at("ndcg@10").get<double>(), 0.0526, 5e-5);
  EXPECT_NEAR(start.at("ndcg@20").get<double>(), 0.0662, 5e-5);
  EXPECT_NEAR(start.at("saturated").get<double>(), 0.9986, 5e-5);

  const data::Dataset data = data::load_dataset(folder_ / "beauty");
  const data::Csr train = data.train_csr(), relevant = data.test_csr();
  const data::Csr* masks[] = {&train};
  std::vector<std::int32_t> users;
  for (std::int64_t user = 0; user < relevant.rows; ++user)
    if (!relevant.row(user).empty()) users.push_back(static_cast<std::int32_t>(user));
  const auto scorer = retrieval::load_model(folder_ / "run" / "model", train);
  const retrieval::TopK top = retrieval::top_k(*scorer, users, masks, 20);
  const auto values =
      metrics::evaluate_ranking(users, top.items, top.k, relevant, {"recall", "ndcg"}, {10, 20});
  const double expected[] = {0.0978, 0.1467, 0.0531, 0.0659};
  for (int i = 0; i < 4; ++i) EXPECT_NEAR(values.means[i], expected[i], 5e-5) << values.columns[i];
}

TEST_F(TrainOnBeauty, TheFirstLossOfBaseIsTheAuthors) {
  TrainOptions base = options("base", 1);
  base.margin = 2.3;
  run(base, {});
  EXPECT_NEAR(log().at(1).at("loss").get<double>(), 9006, 0.02 * 9006);
}

TEST_F(TrainOnBeauty, TheFirstLossOfHyperLlmIsTheAuthors) {
  TrainOptions full = options("hyperllm", 1);
  full.margin = 1.6;
  full.set("tag_margin", "0.9");
  full.set("tag_tag_weight", "2");
  run(full, {});
  EXPECT_NEAR(log().at(1).at("loss").get<double>(), 4203, 0.03 * 4203);
}

}  // namespace
}  // namespace hyperllm::stages::train
