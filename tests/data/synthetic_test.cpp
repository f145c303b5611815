#include "hyperllm/data/synthetic.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <set>

#include "hyperllm/base/parallel.h"
#include "tests/support/folder.h"

namespace hyperllm::data {
namespace {

class SyntheticTest : public test::FolderTest {};

void expect_about(std::int64_t value, std::int64_t wanted) {
  EXPECT_GT(value, wanted * 9 / 10);
  EXPECT_LT(value, wanted * 11 / 10);
}

TEST_F(SyntheticTest, SizesAreThoseAskedFor) {
  const SyntheticShape shape;
  const Synthetic made = make_synthetic(shape);
  const Dataset& data = made.dataset;
  EXPECT_EQ(data.num_users(), shape.users);
  EXPECT_EQ(data.num_items(), shape.items);
  EXPECT_EQ(std::ssize(made.tags.tags), shape.tags);
  expect_about(data.train.size() + data.valid.size() + data.test.size(), shape.interactions);
  expect_about(std::ssize(made.tags.edges), shape.tag_edges);
  expect_about(std::ssize(made.tags.tag_items), shape.tag_items);
  const Csr train = data.train_csr(), valid = data.valid_csr(), test = data.test_csr();
  EXPECT_EQ(train.nnz(), data.train.size());
  const Csr all = unite(unite(train, valid), test);
  EXPECT_EQ(all.nnz(), train.nnz() + valid.nnz() + test.nnz());
  for (std::int64_t u = 0; u < shape.users; ++u)
    EXPECT_TRUE(!train.row(u).empty() && !valid.row(u).empty() && !test.row(u).empty());
}

TEST_F(SyntheticTest, ItemsAndUsersHaveLongTails) {
  const Dataset data = make_synthetic({}).dataset;
  for (const auto* ids : {&data.train.item, &data.train.user}) {
    std::vector<std::int64_t> count(ids == &data.train.item ? data.num_items() : data.num_users());
    for (const std::int32_t id : *ids) ++count[id];
    std::sort(count.rbegin(), count.rend());
    const std::int64_t tenth =
        std::accumulate(count.begin(), count.begin() + std::ssize(count) / 10, std::int64_t{0});
    EXPECT_GT(tenth, data.train.size() * 3 / 10);
  }
}

TEST_F(SyntheticTest, AUsersHeldOutItemsAreNearHisTrainingItems) {
  const Synthetic made = make_synthetic({});
  const Csr items_of_tag =
      make_csr(std::ssize(made.tags.tags), made.dataset.num_items(), made.tags.tag_items);
  const Csr tags_of_item = items_of_tag.transposed();
  const Csr train = made.dataset.train_csr();
  std::int64_t near = 0, other = 0;
  for (std::int64_t i = 0; i < made.dataset.valid.size(); ++i) {
    std::set<std::int32_t> tags;
    for (const std::int32_t item : train.row(made.dataset.valid.user[i]))
      for (const std::int32_t tag : tags_of_item.row(item))
        if (made.tags.tags[tag].level == 2) tags.insert(tag);
    const auto shares_a_tag = [&](std::int64_t item) {
      const auto own = tags_of_item.row(item);
      return std::any_of(own.begin(), own.end(), [&](std::int32_t tag) { return tags.contains(tag); });
    };
    near += shares_a_tag(made.dataset.valid.item[i]);
    other += shares_a_tag(made.dataset.valid.item[made.dataset.valid.size() - 1 - i]);
  }
  EXPECT_GT(near, made.dataset.valid.size() * 2 / 5);
  EXPECT_LT(other, near / 3) << "another user's item";
}

TEST_F(SyntheticTest, TheSameForAnyNumberOfThreadsAndReadableAsADataset) {
  SyntheticShape shape;
  shape.users = 9000;
  set_num_threads(1);
  const Synthetic one = make_synthetic(shape);
  set_num_threads(2);
  const Synthetic two = make_synthetic(shape);
  set_num_threads(0);
  EXPECT_EQ(one.dataset.train.item, two.dataset.train.item);
  EXPECT_EQ(one.dataset.test.user, two.dataset.test.user);
  shape.seed = 2;
  EXPECT_NE(make_synthetic(shape).dataset.train.item, one.dataset.train.item);
  save_dataset(one.dataset, folder_ / "synthetic");
  save_tags(one.tags, folder_ / "synthetic", one.dataset.items);
  EXPECT_EQ(load_dataset(folder_ / "synthetic").train.item, one.dataset.train.item);
  EXPECT_EQ(load_tags(folder_ / "synthetic", one.dataset.items).tag_items, one.tags.tag_items);
}

TEST_F(SyntheticTest, ImpossibleSizesAreRefused) {
  SyntheticShape shape;
  shape.interactions = shape.users;
  test::expect_error(ErrorCode::kInvalidArgument, {"4 interactions a user"}, [&] { make_synthetic(shape); });
  shape = {};
  shape.tag_items = 100;
  test::expect_error(ErrorCode::kInvalidArgument, {"tag-item pairs"}, [&] { make_synthetic(shape); });
}

}  // namespace
}  // namespace hyperllm::data
