// EASE with tags, embeddings and dropout against float64 with NumPy (tests/golden/ease_side.py).
#include <gtest/gtest.h>

#include <cmath>
#include <stop_token>

#include "hyperllm/base/parallel.h"
#include "hyperllm/base/random.h"
#include "hyperllm/baselines/ease.h"
#include "tests/support/folder.h"

namespace hyperllm::baselines {
namespace {

using Pairs = std::vector<std::pair<std::int32_t, std::int32_t>>;

struct Golden {
  std::int64_t users, items, tags, columns, neighbours;
  Pairs user_items, item_tags;
  std::vector<float> embeddings;
  struct Case {
    double lambda, dropout, tag_weight, embedding_weight;
    std::vector<double> weights, near_weights;
  };
  std::vector<Case> cases;
};

const Golden& golden() {
  static const Golden values = {
#include "tests/golden/ease_side.inc"
  };
  return values;
}

class EaseSides : public ::testing::Test {
 protected:
  data::Csr train_ = data::make_csr(golden().users, golden().items, golden().user_items);
  data::Csr item_tags_ = data::make_csr(golden().items, golden().tags, golden().item_tags);
  artifact::Matrix embeddings_ = {golden().items, golden().columns, golden().embeddings};
  EaseSide side_ = {&item_tags_, &embeddings_};
};

artifact::Matrix dense(const retrieval::SparseWeights& sparse) {
  const std::int64_t items = sparse.links.rows;
  artifact::Matrix all = {items, items, std::vector<float>(static_cast<std::size_t>(items * items))};
  for (std::int64_t row = 0; row < items; ++row)
    for (std::int64_t e = sparse.links.indptr[row]; e < sparse.links.indptr[row + 1]; ++e)
      all.values[row * items + sparse.links.indices[e]] = sparse.values[e];
  return all;
}

TEST_F(EaseSides, WeightsOnNeighboursAreNumPys) {
  for (const Golden::Case& wanted : golden().cases) {
    EaseOptions options = {wanted.lambda, wanted.dropout, wanted.tag_weight, wanted.embedding_weight};
    options.neighbours = golden().neighbours;
    const artifact::Matrix got = dense(sparse_ease(train_, options, {}, side_));
    for (std::size_t i = 0; i < wanted.near_weights.size(); ++i)
      EXPECT_NEAR(got.values[i], wanted.near_weights[i], 1e-6) << &wanted - golden().cases.data() << " " << i;
  }
}

TEST(SparseEase, OnAllItemsIsEaseForAnyNumberOfThreads) {
  Random random(3, "train");
  Pairs pairs, tags;
  for (std::int32_t user = 0; user < 200; ++user)
    for (std::int32_t item = 0; item < 150; ++item)
      if (random.uniform() < 0.04) pairs.emplace_back(user, item);
  for (std::int32_t item = 0; item < 150; ++item)
    for (std::int32_t tag = 0; tag < 12; ++tag)
      if (random.uniform() < 0.3) tags.emplace_back(item, tag);
  artifact::Matrix embeddings = {150, 4, {}};
  for (int i = 0; i < 600; ++i) embeddings.values.push_back(static_cast<float>(random.uniform(-1, 1)));
  const data::Csr train = data::make_csr(200, 150, pairs), item_tags = data::make_csr(150, 12, tags);
  EaseOptions options = {5, 0.3, 0.5, 2, 149};
  const EaseSide side = {&item_tags, &embeddings};
  const artifact::Matrix whole = ease(train, options, {}, side);
  const artifact::Matrix all = dense(sparse_ease(train, options, {}, side));
  for (std::size_t i = 0; i < whole.values.size(); ++i)
    ASSERT_NEAR(all.values[i], whole.values[i], 1e-6) << i;
  options.neighbours = 20;
  set_num_threads(1);
  const retrieval::SparseWeights one = sparse_ease(train, options, {}, side);
  set_num_threads(3);
  const retrieval::SparseWeights three = sparse_ease(train, options, {}, side);
  set_num_threads(0);
  EXPECT_EQ(one.links.indices, three.links.indices);
  EXPECT_EQ(one.values, three.values);
  EXPECT_EQ(one.links.nnz(), 150 * 20);
}

TEST(SparseEase, RefusesWhatDoesNotFitAndStops) {
  const data::Csr train = {2, 3, {0, 2, 3}, {0, 1, 2}};
  EaseOptions options;
  test::expect_error(ErrorCode::kInvalidArgument, {"'neighbours': expected 1"},
                     [&] { sparse_ease(train, options); });
  options.neighbours = 2;
  options.memory_gib = 1e-9;
  test::expect_error(ErrorCode::kInvalidArgument, {"take fewer neighbours"},
                     [&] { sparse_ease(train, options); });
  options.memory_gib = 0;
  std::stop_source source;
  source.request_stop();
  Context context;
  context.stop = source.get_token();
  test::expect_error(ErrorCode::kInterrupted, {}, [&] { sparse_ease(train, options, context); });
}

TEST_F(EaseSides, WeightsAreNumPys) {
  for (const Golden::Case& wanted : golden().cases) {
    const EaseOptions options = {wanted.lambda, wanted.dropout, wanted.tag_weight, wanted.embedding_weight};
    const artifact::Matrix got = ease(train_, options, {}, side_);
    ASSERT_EQ(got.values.size(), wanted.weights.size());
    for (std::size_t i = 0; i < wanted.weights.size(); ++i)
      EXPECT_NEAR(got.values[i], wanted.weights[i], 1e-6) << &wanted - golden().cases.data() << " " << i;
  }
}

TEST_F(EaseSides, AnItemLikeTheMeanHasNoEmbedding) {
  artifact::Matrix same = {golden().items, 2, {}};
  for (std::int64_t i = 0; i < golden().items; ++i) same.values.insert(same.values.end(), {0.1F, 0.7F});
  EaseOptions options = {2};
  const artifact::Matrix plain = ease(train_, options);
  options.embedding_weight = 5;
  const artifact::Matrix got = ease(train_, options, {}, {nullptr, &same});
  for (std::size_t i = 0; i < plain.values.size(); ++i) EXPECT_NEAR(got.values[i], plain.values[i], 1e-6);
}

TEST_F(EaseSides, WhatDoesNotFitIsRefused) {
  const auto refused = [&](std::string_view what, const EaseOptions& options, const EaseSide& side) {
    test::expect_error(ErrorCode::kInvalidArgument, {what}, [&] { ease(train_, options, {}, side); });
  };
  const data::Csr few_tags = data::make_csr(golden().items - 1, 2, {});
  const artifact::Matrix few_rows = {1, 2, {1, 2}};
  refused("'dropout': expected a number from 0 to below 1", {1, 1, 0, 0}, {});
  refused("'dropout'", {1, -0.1, 0, 0}, {});
  refused("'tag_weight'", {1, 0, -1, 0}, side_);
  refused("'embedding_weight'", {1, 0, 0, std::nan("")}, side_);
  refused("for tags needs", {1, 0, 1, 0}, {});
  refused("a row for each of the 7 items", {1, 0, 1, 0}, {&few_tags, nullptr});
  refused("for embeddings needs", {1, 0, 0, 1}, {});
  refused("for embeddings needs", {1, 0, 0, 1}, {nullptr, &few_rows});
}

}  // namespace
}  // namespace hyperllm::baselines
