// `evaluate` on a dataset small enough to rank by hand.
#include <algorithm>
#include <fstream>

#include "hyperllm/base/parallel.h"
#include "hyperllm/data/dataset.h"
#include "hyperllm/retrieval/model_files.h"
#include "hyperllm/stages/evaluate/run.h"
#include "tests/support/folder.h"

namespace hyperllm::stages::evaluate {
namespace {

using test::expect_error;

class Evaluate : public test::FolderTest {
 protected:
  void SetUp() override {
    FolderTest::SetUp();
    data::Dataset dataset;
    dataset.name = "toy";
    dataset.users = {"ann", "bob", "cid", "dan"};
    dataset.items = {"i0", "i1", "i2", "i3", "i4", "i5"};
    // cid has nothing to find in test, dan no training items.
    dataset.train = {{0, 0, 1, 2}, {0, 1, 5, 2}, {5, 5, 5, 5}, {0, 0, 0, 0}};
    dataset.valid = {{0, 1}, {2, 0}, {5, 5}, {0, 0}};
    dataset.test = {{0, 1, 1, 3}, {3, 1, 4, 5}, {5, 5, 5, 5}, {0, 0, 0, 0}};
    data::save_dataset(dataset, folder_ / "toy");
    options_.dataset = folder_ / "toy";
    options_.run = folder_ / "runs/pop";
    options_.ks = {1, 2};
    // The order of everybody: i0 i1 i2 i3 i4 i5.
    retrieval::save_popularity_model(options_.run / "model", std::vector<float>{6, 5, 4, 3, 2, 1});
  }
  EvaluateOptions options_;
};

TEST_F(Evaluate, HandComputedWithTheTrainMask) {
  const EvaluateResult result = run(options_, {});
  // ann: i2 i3, wants i3; bob: i0 i1, wants i1 and i4; dan: i0 i1, wants i5.
  EXPECT_EQ(result.per_user.users, (std::vector<std::string>{"ann", "bob", "dan"}));
  EXPECT_EQ(result.per_user.columns, (std::vector<std::string>{"recall@1", "recall@2", "ndcg@1", "ndcg@2"}));
  const double second = 0.63092975357145743;
  const std::vector<double> expected = {0, 1, 0, second, 0, 0.5, 0, second / (1 + second), 0, 0, 0, 0};
  ASSERT_EQ(result.per_user.values.size(), expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i)
    EXPECT_DOUBLE_EQ(result.per_user.values[i], expected[i]) << i;
  EXPECT_EQ(result.evaluation.users, 3);
  EXPECT_EQ(result.evaluation.metrics[1].first, "recall@2");
  EXPECT_DOUBLE_EQ(result.evaluation.metrics[1].second, 0.5);
}

TEST_F(Evaluate, MaskOfTrainAndValidRanksOtherItems) {
  options_.mask = "train+valid";
  const EvaluateResult result = run(options_, {});
  // ann: i3 i4; bob: i1 i2; dan: i0 i1.
  EXPECT_DOUBLE_EQ(result.evaluation.metrics[0].second, (1 + 0.5 + 0) / 3);
}

TEST_F(Evaluate, ValidationSplit) {
  options_.split = "valid";
  const EvaluateResult result = run(options_, {});
  EXPECT_EQ(result.per_user.users, (std::vector<std::string>{"ann", "bob"}));
  EXPECT_DOUBLE_EQ(result.evaluation.metrics[0].second, 1);
  EXPECT_TRUE(std::filesystem::exists(options_.run / "evaluation.valid.json"));
}

TEST_F(Evaluate, FilesSayWhatTheResultSays) {
  const EvaluateResult result = run(options_, {});
  EXPECT_EQ(read_file(options_.run / "evaluation.test.json"), R"({
  "dataset": "toy",
  "run": "pop",
  "split": "test",
  "mask": "train",
  "users": 3,
  "metrics": {
    "recall@1": 0.0,
    "recall@2": 0.5,
    "ndcg@1": 0.0,
    "ndcg@2": 0.3392608536019997
  }
}
)");
  EXPECT_EQ(read_file(options_.run / "per_user.test.tsv"),
            "user_id\trecall@1\trecall@2\tndcg@1\tndcg@2\n"
            "ann\t0\t1\t0\t0.6309297535714575\n"
            "bob\t0\t0.5\t0\t0.38685280723454163\n"
            "dan\t0\t0\t0\t0\n");
  EXPECT_EQ(metrics::load_per_user(options_.run / "per_user.test.tsv").values, result.per_user.values);
  // Wanted are i3 (ann), i1 and i4 (bob), i5 (dan); found in the second place i3 and i1.
  EXPECT_EQ(read_file(options_.run / "per_item.test.tsv"),
            "item_id\theld_out\thits@1\thits@2\n"
            "i0\t0\t0\t0\n"
            "i1\t1\t0\t1\n"
            "i2\t0\t0\t0\n"
            "i3\t1\t0\t1\n"
            "i4\t1\t0\t0\n"
            "i5\t1\t0\t0\n");
}

TEST_F(Evaluate, SameBytesForAnyNumberOfThreads) {
  std::vector<std::string> texts;
  for (const int threads : {1, 2, 4}) {
    set_num_threads(threads);
    run(options_, {});
    texts.push_back(read_file(options_.run / "evaluation.test.json") +
                    read_file(options_.run / "per_user.test.tsv") +
                    read_file(options_.run / "per_item.test.tsv"));
  }
  set_num_threads(0);
  EXPECT_EQ(texts[0], texts[1]);
  EXPECT_EQ(texts[0], texts[2]);
}

TEST_F(Evaluate, KBeyondTheCatalogueCountsAsK) {
  options_.ks = {1000};
  options_.metrics = {"recall", "precision"};
  const EvaluateResult result = run(options_, {});
  EXPECT_DOUBLE_EQ(result.evaluation.metrics[0].second, 1);
  EXPECT_DOUBLE_EQ(result.evaluation.metrics[1].second, (1 + 2 + 1) / 3.0 / 1000);
}

TEST_F(Evaluate, RunFoldersOfSeedsKeepTheirParentsName) {
  options_.run = folder_ / "runs/hgcf/seed-7/";
  retrieval::save_popularity_model(options_.run / "model", std::vector<float>(6));
  EXPECT_EQ(run(options_, {}).evaluation.run, "hgcf/seed-7");
}

TEST_F(Evaluate, BadOptionsAreNamedBeforeAnyWork) {
  const auto expect_bad = [&](std::initializer_list<std::string_view> parts, auto&& change) {
    EvaluateOptions bad = options_;
    bad.dataset = folder_ / "nowhere";  // would be the error if work began first
    change(bad);
    expect_error(ErrorCode::kInvalidArgument, parts, [&] { run(bad, {}); });
  };
  expect_bad({"did you mean 'ndcg'"}, [](auto& o) { o.metrics = {"ncdg"}; });
  expect_bad({"'ks': expected 1 to 1000000, got '0'"}, [](auto& o) { o.ks = {10, 0}; });
  expect_bad({"'ks': expected 1 to 1000000, got '-3'"}, [](auto& o) { o.ks = {-3}; });
  expect_bad({"no K given"}, [](auto& o) { o.ks = {}; });
  expect_bad({"option 'split'", "valid, test"}, [](auto& o) { o.split = "train"; });
  expect_bad({"option 'mask'"}, [](auto& o) { o.mask = "all"; });
  expect_bad({"option 'mask'", "use train"}, [](auto& o) {
    o.split = "valid";
    o.mask = "train+valid";
  });
}

TEST_F(Evaluate, MissingDatasetOrModel) {
  EvaluateOptions bad = options_;
  bad.dataset = folder_ / "nowhere";
  expect_error(ErrorCode::kIo, {"nowhere"}, [&] { run(bad, {}); });
  bad = options_;
  bad.run = folder_ / "runs/none";
  expect_error(ErrorCode::kIo, {"runs/none/model/model.json", "train first"}, [&] { run(bad, {}); });
}

TEST_F(Evaluate, ModelOfAnotherDataset) {
  retrieval::save_popularity_model(options_.run / "model", std::vector<float>(5));
  expect_error(ErrorCode::kInvalidData, {"item_scores.npy", "another dataset"}, [&] { run(options_, {}); });
  EXPECT_FALSE(std::filesystem::exists(options_.run / "evaluation.test.json"));
}

TEST_F(Evaluate, NothingToFind) {
  data::Dataset dataset = data::load_dataset(options_.dataset);
  dataset.test = {};
  data::save_dataset(dataset, options_.dataset);
  expect_error(ErrorCode::kInvalidData, {"the split 'test' has no interactions"}, [&] { run(options_, {}); });
}

TEST_F(Evaluate, OverflowingScoreNamesTheUser) {
  // The time coordinates overflow: infinity minus infinity.
  const artifact::Matrix huge = {4, 2, {3e38F, 3e38F, 1, 1, 1, 1, 1, 1}};
  const artifact::Matrix items = {6, 2, {3e38F, 3e38F, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1}};
  retrieval::save_embeddings_model(options_.run / "model", {retrieval::Geometry::kLorentz}, huge, items);
  expect_error(ErrorCode::kNonFinite, {"user row 0 for item row 0"}, [&] { run(options_, {}); });
}

TEST_F(Evaluate, StopsWhenAsked) {
  std::stop_source source;
  source.request_stop();
  Context context;
  context.stop = source.get_token();
  expect_error(ErrorCode::kInterrupted, {"evaluate interrupted"}, [&] { run(options_, context); });
}

}  // namespace
}  // namespace hyperllm::stages::evaluate
