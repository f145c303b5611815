// The way from the released Beauty folder to embeddings, on the real data.
#include <gtest/gtest.h>

#include <Eigen/Core>
#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numeric>

#include "hyperllm/artifact/npy.h"
#include "hyperllm/data/dataset.h"
#include "hyperllm/data/tags.h"
#include "hyperllm/stages/embed/run.h"
#include "hyperllm/stages/extract/run.h"
#include "tests/support/folder.h"

namespace hyperllm::stages {
namespace {

using Dense = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

data::Interactions listed(const data::Csr& csr) {
  data::Interactions out;
  for (std::int64_t user = 0; user < csr.rows; ++user) {
    for (const std::int32_t item : csr.row(user)) {
      out.user.push_back(static_cast<std::int32_t>(user));
      out.item.push_back(item);
    }
  }
  out.rating.assign(out.user.size(), 1);
  out.timestamp.assign(out.user.size(), 0);
  return out;
}

data::TagGraph released_tags(const std::filesystem::path& beauty) {
  data::TagGraph graph;
  const auto names = nlohmann::json::parse(read_file(beauty / "id_to_tag.json"));
  graph.tags.resize(names.size());
  for (const auto& [id, text] : names.items()) graph.tags.at(std::stoul(id)).text = text.get<std::string>();
  const auto items_of = nlohmann::json::parse(read_file(beauty / "tag_to_item.json"));
  for (const auto& [id, items] : items_of.items())
    for (const auto& item : items) graph.tag_items.emplace_back(std::stoi(id), item.get<std::int32_t>());
  std::sort(graph.tag_items.begin(), graph.tag_items.end());
  return graph;
}

Dense dense(const artifact::Matrix& matrix) {
  return Eigen::Map<const Dense>(matrix.values.data(), matrix.rows, matrix.cols);
}

// Share of the first `users` users' validation items among the 20 nearest items they did not train on.
double recall_at_20(const data::Dataset& dataset, const Dense& users, const Dense& items,
                    Eigen::Index count) {
  const Dense scores = users.topRows(count) * items.transpose();
  const data::Csr train = dataset.train_csr(), valid = dataset.valid_csr();
  double sum = 0;
  for (Eigen::Index user = 0; user < count; ++user) {
    std::vector<std::int32_t> order;
    for (std::int32_t item = 0; item < items.rows(); ++item)
      if (!train.contains(user, item)) order.push_back(item);
    std::partial_sort(order.begin(), order.begin() + 20, order.end(),
                      [&](std::int32_t a, std::int32_t b) { return scores(user, a) > scores(user, b); });
    const auto hits = std::count_if(order.begin(), order.begin() + 20,
                                    [&](std::int32_t item) { return valid.contains(user, item); });
    sum += static_cast<double>(hits) / static_cast<double>(valid.row(user).size());
  }
  return sum / static_cast<double>(count);
}

class BeautyTest : public test::FolderTest {};

TEST_F(BeautyTest, TagTextsBecomeEmbeddingsThatRankValidationItems) {
  const auto beauty = test::beauty_folder();
  if (beauty.empty()) GTEST_SKIP() << "no Beauty data (HYPERLLM_DATA)";
  data::Dataset dataset;
  dataset.name = folder_.filename().string();
  const data::Csr train = artifact::read_scipy_csr(beauty / "train_matrix.npz");
  dataset.train = listed(train);
  dataset.valid = listed(artifact::read_scipy_csr(beauty / "val_matrix.npz"));
  for (std::int64_t u = 0; u < train.rows; ++u) dataset.users.push_back(std::to_string(u));
  for (std::int64_t i = 0; i < train.cols; ++i) dataset.items.push_back(std::to_string(i));
  data::save_dataset(dataset, folder_);
  data::save_tags(released_tags(beauty), folder_, dataset.items);

  extract::ExtractOptions extract_options;
  extract_options.dataset = folder_;
  const extract::ExtractResult extracted = extract::run(extract_options, {});
  EXPECT_TRUE(extracted.kept_tags);
  EXPECT_EQ(extracted.tags, 6418);
  EXPECT_EQ(extracted.tag_items, 51396);
  EXPECT_EQ(extracted.items_without_text, 0);

  embed::EmbedOptions embed_options;
  embed_options.dataset = folder_;
  const embed::EmbedResult embedded = embed::run(embed_options, {});
  EXPECT_EQ(embedded.empty_items, 0);
  EXPECT_EQ(embedded.empty_users, 0);
  EXPECT_GT(embedded.explained, 0.5);
  const Dense users = dense(artifact::read_npy(embedded.folder / "users.npy"));
  const Dense items = dense(artifact::read_npy(embedded.folder / "items.npy"));
  ASSERT_EQ(users.rows(), 10553);
  ASSERT_EQ(items.rows(), 6086);
  ASSERT_EQ(items.cols(), 256);
  EXPECT_NEAR(users.rowwise().norm().minCoeff(), 1, 1e-4);
  EXPECT_NEAR(items.rowwise().norm().maxCoeff(), 1, 1e-4);
  // Chance is 20 / 6086 = 0.0033. Measured over all users: 0.0538.
  EXPECT_GT(recall_at_20(dataset, users, items, 2000), 0.04);
}

}  // namespace
}  // namespace hyperllm::stages
