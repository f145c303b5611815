// Phase 2 that starts at the first columns of the embeddings. Nothing is trained, so that the
// representations show where it starts: user 0 has no item, and after one layer his point is that of his
// own row.
#include <gtest/gtest.h>

#include <cmath>

#include "hyperllm/stages/train/run.h"
#include "tests/support/folder.h"
#include "tests/support/planted_dataset.h"

namespace hyperllm::stages::train {
namespace {

class ColumnStartTest : public test::FolderTest {
 protected:
  // As many rows as the dataset has users, and items; all others than user 0 have `filler`.
  std::vector<float> start(const std::string& model, const std::vector<float>& row, std::int64_t dim,
                           float filler = 1) {
    data::Dataset data;
    data.name = "lonely";
    data.users = {"u0", "u1"};
    data.items = {"i0", "i1"};
    data.train = test::interactions({{1, 0}});
    data.valid = test::interactions({{1, 1}});
    data::save_dataset(data, folder_ / "lonely");
    const auto width = static_cast<std::int64_t>(row.size());
    artifact::Matrix items{2, width, std::vector<float>(2 * width, filler)}, users = items;
    std::copy(row.begin(), row.end(), users.values.begin());
    std::filesystem::create_directories(folder_ / "lonely/embeddings/text");
    test::write_matrix(folder_ / "lonely/embeddings/text/users.npy", users);
    test::write_matrix(folder_ / "lonely/embeddings/text/items.npy", items);
    TrainOptions with = options(model);
    with.dim = dim;
    run(with, {});
    item_norm_ = norm(artifact::read_npy(with.output / "model/items.npy").row(1));
    const artifact::Matrix points = artifact::read_npy(with.output / "model/users.npy");
    return {points.row(0).begin(), points.row(0).end()};
  }

  TrainOptions options(const std::string& model) const {
    TrainOptions with;
    with.objective = "auto";
    with.lr = 1e-3;
    with.dataset = folder_ / "lonely";
    with.output = folder_ / "run";
    with.model = model;
    with.embeddings = "text";
    with.set("variant", "semantic");
    with.set("start", "columns");
    with.set("start_user_distance", "0.9");
    with.layers = 1;
    with.epochs = 0;
    return with;
  }

  static double norm(std::span<const float> row) {
    double sum = 0;
    for (const float value : row) sum += static_cast<double>(value) * value;
    return std::sqrt(sum);
  }

  double item_norm_ = 0;
};

// The row is (2, -1, 2, ...): the unit vector along its first three columns is a third of them.
TEST_F(ColumnStartTest, FollowsTheFirstColumnsAtTheGivenDistanceInEveryGeometry) {
  const std::vector<float> row = {2, -1, 2, 70, -50};
  for (const auto& [model, length] : std::vector<std::pair<std::string, double>>{
           {"hgcf", std::sinh(0.9)}, {"hgch", std::tanh(0.9 / 2)}, {"bprmf", 0.9}}) {
    const std::vector<float> x = start(model, row, 3);
    for (std::size_t d = 0; d < 3; ++d) EXPECT_NEAR(x[d], length * row[d] / 3, 1e-5) << model << " " << d;
  }
  EXPECT_NEAR(item_norm_, 1.36, 1e-5) << "bprmf's items";
}

TEST_F(ColumnStartTest, WhatTheEmbeddingsDoNotTellIsRandom) {
  const std::vector<float> wide = start("bprmf", {3, 4}, 6);
  EXPECT_NEAR(wide[0], 0.9 * 3 / 5, 1e-6);
  EXPECT_NEAR(wide[1], 0.9 * 4 / 5, 1e-6);
  const std::vector<float> none = start("bprmf", {0, 0}, 6);
  for (std::size_t d = 0; d < 6; ++d) EXPECT_NE(none[d], 0) << d;
  for (std::size_t d = 2; d < 6; ++d) EXPECT_EQ(wide[d], none[d]) << "drawn for the row, whatever it says";
}

TEST_F(ColumnStartTest, OptionsThatContradictItAreRefused) {
  const auto refused = [&](const std::string& variant, const std::string& init, const char* words) {
    TrainOptions with = options("hgcf");
    with.set("variant", variant);
    with.set("init_embeddings", init);
    test::expect_error(ErrorCode::kInvalidArgument, {words, "leave out"}, [&] { run(with, {}); });
  };
  for (const char* variant : {"base", "structural", "without_meta", "only_semantic"})
    refused(variant, "", "has no phase 2 that starts at semantic embeddings");
  refused("hyperllm", "phase1", "takes the run's 'embeddings'");
}

}  // namespace
}  // namespace hyperllm::stages::train
