// A fusion's scores by hand, its files, and members that are not what they were.
#include "hyperllm/retrieval/fusion.h"

#include <cmath>
#include <limits>

#include "hyperllm/base/parallel.h"
#include "hyperllm/retrieval/model_files.h"
#include "tests/support/folder.h"

namespace hyperllm::retrieval {
namespace {

namespace fs = std::filesystem;
using test::expect_error;

// Two users, four items; user 1 has no history.
const data::Csr kTrain = {2, 4, {0, 1, 1}, {0}};
const std::vector<std::int32_t> kBoth = {0, 1};

// Row 0: 0 4 0 0, mean 1, deviation sqrt(3).
artifact::Matrix item_item() {
  artifact::Matrix weights = {4, 4, std::vector<float>(16)};
  weights.values[1] = 4;
  return weights;
}

// Mean 5, deviation sqrt(5).
const std::vector<float> kPopularity = {2, 4, 6, 8};

std::vector<float> scores_of(const Scorer& scorer) {
  std::vector<float> out(8);
  scorer.score(kBoth, out);
  return out;
}

std::vector<Member> members(double of_items, double of_popularity) {
  std::vector<Member> made;
  made.push_back({make_item_item_scorer(item_item().values, kTrain), of_items});
  made.push_back({make_popularity_scorer(kPopularity, 2), of_popularity});
  return made;
}

void expect_by_hand(const std::vector<float>& got) {
  const double one = 0.75, other = 0.25, s = std::sqrt(3.0), d = std::sqrt(5.0);
  const std::vector<double> expected = {one * -1 / s + other * -3 / d,
                                        one * 3 / s + other * -1 / d,
                                        one * -1 / s + other * 1 / d,
                                        one * -1 / s + other * 3 / d,
                                        other * -3 / d,
                                        other * -1 / d,
                                        other * 1 / d,
                                        other * 3 / d};
  for (std::size_t i = 0; i < expected.size(); ++i) EXPECT_NEAR(got[i], expected[i], 1e-6) << i;
}

TEST(Fusion, AddsStandardisedScoresInProportion) {
  expect_by_hand(scores_of(*make_fusion_scorer(members(3, 1))));
  expect_by_hand(scores_of(*make_fusion_scorer(members(0.75, 0.25))));
}

TEST(Fusion, RanksAsItScores) {
  const auto scorer = make_fusion_scorer(members(1, 1));
  const std::vector<const data::Csr*> masks = {&kTrain};
  const TopK top = top_k(*scorer, kBoth, masks, 4);
  EXPECT_EQ(top.items, (std::vector<std::int32_t>{1, 3, 2, -1, 3, 2, 1, 0}));
}

TEST(Fusion, AScoreThatIsNotANumberIsTold) {
  const auto scorer = make_fusion_scorer(
      {{make_popularity_scorer({1, 2, std::numeric_limits<float>::quiet_NaN(), 0}, 2), 1}});
  expect_error(ErrorCode::kNonFinite, {"user row 0"}, [&] { top_k(*scorer, kBoth, {}, 1); });
}

TEST(Fusion, WhatDoesNotFitIsRefused) {
  expect_error(ErrorCode::kInvalidArgument, {"weight above 0"}, [] { make_fusion_scorer(members(0, 0)); });
  expect_error(ErrorCode::kInvalidArgument, {"weight above 0"}, [] { make_fusion_scorer({}); });
  expect_error(ErrorCode::kInvalidArgument, {"0 or more"}, [] { make_fusion_scorer(members(2, -1)); });
  std::vector<Member> uneven = members(1, 1);
  uneven[1].scorer = make_popularity_scorer({1, 2}, 2);
  expect_error(ErrorCode::kInvalidArgument, {"one dataset"}, [&] { make_fusion_scorer(uneven); });
}

class FusionFiles : public test::FolderTest {
 protected:
  void SetUp() override {
    FolderTest::SetUp();
    save_item_item_model(folder_ / "ease/model", item_item());
    save_popularity_model(folder_ / "popular/model", kPopularity);
    FileSet files(folder_ / "fused");
    add_fusion_model(files, "model/", {{folder_ / "ease", 3}, {folder_ / "popular", 1}});
    files.commit();
  }
  std::unique_ptr<Scorer> load() const { return load_model(folder_ / "fused/model", kTrain); }
};

TEST_F(FusionFiles, ComeBackAlsoWhereAllWasMoved) {
  expect_by_hand(scores_of(*load()));
  fs::create_directories(folder_ / "elsewhere");
  for (const char* run : {"ease", "popular", "fused"}) fs::rename(folder_ / run, folder_ / "elsewhere" / run);
  expect_by_hand(scores_of(*load_model(folder_ / "elsewhere/fused/model", kTrain)));
}

TEST_F(FusionFiles, AMemberThatIsNotWhatItWasIsRefused) {
  const fs::path weights = folder_ / "ease/model/weights.npy";
  const std::string before = read_file(weights);
  artifact::Matrix other = item_item();
  other.values[2] = 1;
  save_item_item_model(folder_ / "ease/model", other);
  expect_error(
      ErrorCode::kInvalidData,
      {"ease/model/weights.npy", "has changed since the fusion of", "fused", "Train the fusion again"},
      [&] { load(); });
  fs::remove(weights);
  expect_error(ErrorCode::kInvalidData, {"ease/model/weights.npy", "is gone"}, [&] { load(); });
  write_file(weights, before);
  EXPECT_NO_THROW(load());
}

TEST_F(FusionFiles, FusionsOfFusionsAreModelsToo) {
  FileSet files(folder_ / "twice");
  add_fusion_model(files, "model/", {{folder_ / "fused", 1}});
  files.commit();
  const auto twice = load_model(folder_ / "twice/model", kTrain), once = load();
  const std::vector<const data::Csr*> masks = {&kTrain};
  EXPECT_EQ(top_k(*twice, kBoth, masks, 3).items, top_k(*once, kBoth, masks, 3).items);
}

TEST_F(FusionFiles, BadDescriptionsAreRefused) {
  const auto refuses = [&](const std::string& members) {
    put("fused/model/model.json", R"({"kind": "fusion")" + members + "}");
    expect_error(ErrorCode::kInvalidData, {"fused/model/model.json", "members"}, [&] { load(); });
  };
  refuses("");
  refuses(R"(, "members": 3)");
  refuses(R"(, "members": [])");
  refuses(R"(, "members": [3])");
  refuses(R"(, "members": [{"run": 1, "weight": 1, "files": {}}])");
  refuses(R"(, "members": [{"run": "../../ease", "weight": -1, "files": {}}])");
  refuses(R"(, "members": [{"run": "../../ease", "weight": 1}])");
  expect_error(ErrorCode::kIo, {"nowhere/model/model.json"}, [&] {
    FileSet files(folder_ / "other");
    add_fusion_model(files, "model/", {{folder_ / "nowhere", 1}});
  });
}

}  // namespace
}  // namespace hyperllm::retrieval
