#include "hyperllm/training/sampler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "hyperllm/frameworks/hyperllm.h"
#include "tests/support/folder.h"
#include "tests/support/planted_dataset.h"

namespace hyperllm::training {
namespace {

using frameworks::Pairs;
using Pair = std::pair<std::int32_t, std::int32_t>;
using Counts = std::map<Pair, int>;

// Places in a batch.
constexpr std::size_t kUserItem = 0, kTagItem = 1, kTagTag = 2;

frameworks::Draws draws(const data::Csr& train, const data::TagGraph* tags, std::int64_t candidates = 1) {
  return frameworks::hyperllm_draws(std::make_shared<const data::Csr>(train), tags, candidates);
}

std::vector<frameworks::Batch> batches_of(const Sampler& sampler, std::int64_t number) {
  const Sampler::Epoch epoch = sampler.epoch(number);
  std::vector<frameworks::Batch> batches(static_cast<std::size_t>(sampler.batches_per_epoch()));
  for (std::size_t b = batches.size(); b-- > 0;)  // in whatever order they are asked for
    epoch.batch(static_cast<std::int64_t>(b), batches[b]);
  return batches;
}

Counts count_positives(const std::vector<frameworks::Batch>& batches, std::size_t task) {
  Counts counts;
  for (const frameworks::Batch& batch : batches)
    for (std::int64_t i = 0; i < batch.pairs[task].size(); ++i)
      ++counts[{batch.pairs[task].anchor[i], batch.pairs[task].positive[i]}];
  return counts;
}

std::vector<std::vector<std::int32_t>> flat(const std::vector<frameworks::Batch>& batches) {
  std::vector<std::vector<std::int32_t>> out;
  for (const frameworks::Batch& batch : batches)
    for (const Pairs& pairs : batch.pairs)
      for (const auto& ids : {pairs.anchor, pairs.positive, pairs.candidates}) out.push_back(ids);
  return out;
}

// 12 users and 10 items with 4 to 6 items each, 3 tags in a chain.
data::Csr some_train() {
  std::vector<Pair> pairs;
  for (std::int32_t user = 0; user < 12; ++user)
    for (std::int32_t k = 0; k < 4 + user % 3; ++k) pairs.emplace_back(user, (user * 7 + k * 3) % 10);
  return data::make_csr(12, 10, pairs);
}

data::TagGraph some_tags() {
  data::TagGraph tags;
  tags.tags = {{"a", 1}, {"b", 2}, {"c", 3}};
  tags.edges = {{0, 1}, {1, 2}};
  tags.tag_items = {{0, 0}, {0, 5}, {1, 2}, {1, 3}, {1, 9}, {2, 7}, {2, 8}};
  return tags;
}

class SamplerTest : public ::testing::TestWithParam<Sampling> {
 protected:
  const data::Csr train_ = some_train();
  const data::TagGraph tags_ = some_tags();
  Sampler sampler(std::int64_t batch_size = 8, std::uint64_t seed = 1) const {
    return Sampler(draws(train_, &tags_), {batch_size, seed, GetParam()});
  }
};

TEST_P(SamplerTest, NegativesAreNeverKnownAndNodesHaveTheirOffsets) {
  const std::int32_t users = 12, items = 10;
  std::set<Pair> tag_items(tags_.tag_items.begin(), tags_.tag_items.end());
  std::set<Pair> neighbours;
  for (const auto& [a, b] : tags_.edges) neighbours.insert({{a, b}, {b, a}});
  const Sampler samples = sampler();
  for (std::int64_t epoch = 1; epoch <= 20; ++epoch)
    for (const frameworks::Batch& batch : batches_of(samples, epoch)) {
      const Pairs& ui = batch.pairs[kUserItem];
      for (std::int64_t i = 0; i < ui.size(); ++i) {
        ASSERT_TRUE(ui.anchor[i] >= 0 && ui.anchor[i] < users);
        ASSERT_TRUE(ui.candidates[i] >= users && ui.candidates[i] < users + items);
        EXPECT_TRUE(train_.contains(ui.anchor[i], ui.positive[i] - users));
        EXPECT_FALSE(train_.contains(ui.anchor[i], ui.candidates[i] - users));
      }
      const Pairs& ti = batch.pairs[kTagItem];
      for (std::int64_t i = 0; i < ti.size(); ++i) {
        ASSERT_TRUE(ti.candidates[i] >= 0 && ti.candidates[i] < items);
        EXPECT_TRUE(tag_items.count({ti.anchor[i] - items, ti.positive[i]}));
        EXPECT_FALSE(tag_items.count({ti.anchor[i] - items, ti.candidates[i]}));
      }
      const Pairs& tt = batch.pairs[kTagTag];
      for (std::int64_t i = 0; i < tt.size(); ++i) {
        ASSERT_TRUE(tt.candidates[i] >= items && tt.candidates[i] < items + 3);
        EXPECT_TRUE(neighbours.count({tt.anchor[i] - items, tt.positive[i] - items}));
        EXPECT_FALSE(neighbours.count({tt.anchor[i] - items, tt.candidates[i] - items}));
        EXPECT_NE(tt.anchor[i], tt.candidates[i]) << "a tag is not its own negative";
      }
    }
}

TEST_P(SamplerTest, AnEpochDependsOnSeedAndNumberAlone) {
  const Sampler one = sampler(), two = sampler();
  batches_of(one, 1);
  batches_of(one, 7);  // what was asked before must not matter
  EXPECT_EQ(flat(batches_of(one, 3)), flat(batches_of(two, 3)));
  EXPECT_NE(flat(batches_of(one, 3)), flat(batches_of(one, 4)));
  EXPECT_NE(flat(batches_of(one, 3)), flat(batches_of(sampler(8, 2), 3)));
}

TEST_P(SamplerTest, AUserWithEveryItemIsLeftOut) {
  std::vector<Pair> pairs = {{1, 0}, {1, 2}};
  for (std::int32_t item = 0; item < 4; ++item) pairs.emplace_back(0, item);
  const data::Csr train = data::make_csr(2, 4, pairs);
  const Sampler samples(draws(train, nullptr), {2, 1, GetParam()});
  std::int64_t seen = 0;
  for (std::int64_t epoch = 1; epoch <= 3; ++epoch)
    for (const frameworks::Batch& batch : batches_of(samples, epoch)) {
      for (std::int32_t anchor : batch.pairs[kUserItem].anchor) EXPECT_EQ(anchor, 1);
      seen += batch.pairs[kUserItem].size();
      EXPECT_EQ(batch.pairs.size(), 1u);
    }
  EXPECT_GE(seen, 6);
}

TEST_P(SamplerTest, NothingToLearnFromIsAnError) {
  const auto make = [](const data::Csr& train, std::int64_t batch_size) {
    Sampler(draws(train, nullptr), {batch_size, 1, GetParam()});
  };
  const data::Csr full = data::make_csr(1, 2, std::vector<Pair>{{0, 0}, {0, 1}});
  for (const data::Csr& train : {data::make_csr(3, 4, {}), full})
    test::expect_error(ErrorCode::kInvalidArgument,
                       {"the training split is empty or every user has every item"}, [&] { make(train, 4); });
  test::expect_error(ErrorCode::kInvalidArgument, {"batch_size", "at least 1"},
                     [&] { make(some_train(), 0); });
}

INSTANTIATE_TEST_SUITE_P(Both, SamplerTest, ::testing::Values(Sampling::kFresh, Sampling::kPaper),
                         [](const auto& the) { return the.param == Sampling::kFresh ? "Fresh" : "Paper"; });

TEST(FreshSampling, EveryPositiveOnceTagItemsTwiceTagTagOnceEachWay) {
  const data::Csr train = some_train();
  const data::TagGraph tags = some_tags();
  const Sampler samples(draws(train, &tags), {8, 1, Sampling::kFresh});
  ASSERT_EQ(samples.batches_per_epoch(), (train.nnz() + 7) / 8);
  for (std::int64_t epoch = 1; epoch <= 3; ++epoch) {
    const auto batches = batches_of(samples, epoch);
    Counts expected;
    for (std::int32_t user = 0; user < 12; ++user)
      for (std::int32_t item : train.row(user)) expected[{user, item + 12}] = 1;
    EXPECT_EQ(count_positives(batches, kUserItem), expected);
    expected.clear();
    for (const auto& [tag, item] : tags.tag_items) expected[{tag + 10, item}] = 2;
    EXPECT_EQ(count_positives(batches, kTagItem), expected);
    // Tag 11 neighbours both other tags: as an anchor it has no negative, so it serves as a positive only.
    EXPECT_EQ(count_positives(batches, kTagTag), (Counts{{{10, 11}, 1}, {{12, 11}, 1}}));
  }
}

TEST(FreshSampling, BatchesAreFullAndTagsSpreadEvenly) {
  const data::Csr train = some_train();
  const data::TagGraph tags = some_tags();
  const auto batches = batches_of(Sampler(draws(train, &tags), {8, 1, Sampling::kFresh}), 1);
  for (std::size_t b = 0; b + 1 < batches.size(); ++b) EXPECT_EQ(batches[b].pairs[kUserItem].size(), 8);
  EXPECT_EQ(batches.back().pairs[kUserItem].size(),
            train.nnz() - 8 * static_cast<std::int64_t>(batches.size() - 1));
  for (const auto task : {kTagItem, kTagTag}) {
    std::int64_t least = 1000, most = 0;
    for (const frameworks::Batch& batch : batches) {
      least = std::min(least, batch.pairs[task].size());
      most = std::max(most, batch.pairs[task].size());
    }
    EXPECT_LE(most - least, 1);
  }
}

TEST(FreshSampling, DrawsAsManyCandidatesAPairAsAreAskedFor) {
  const data::Csr train = some_train();
  const data::TagGraph tags = some_tags();
  const auto one = batches_of(Sampler(draws(train, &tags), {8, 1, Sampling::kFresh}), 2);
  const auto many = batches_of(Sampler(draws(train, &tags, 5), {8, 1, Sampling::kFresh}), 2);
  const auto none = batches_of(Sampler(draws(train, &tags, 0), {8, 1, Sampling::kFresh}), 2);
  std::set<std::int32_t> seen;
  for (std::size_t b = 0; b < many.size(); ++b)
    for (std::size_t task = 0; task < 3; ++task) {
      const Pairs& pairs = many[b].pairs[task];
      EXPECT_EQ(pairs.anchor, one[b].pairs[task].anchor) << "the positives do not depend on the candidates";
      EXPECT_EQ(pairs.anchor, none[b].pairs[task].anchor);
      EXPECT_TRUE(none[b].pairs[task].candidates.empty());
      ASSERT_EQ(pairs.per_pair, 5);
      ASSERT_EQ(std::ssize(pairs.candidates), 5 * pairs.size());
      for (std::int64_t i = 0; task == kUserItem && i < 5 * pairs.size(); ++i) {
        EXPECT_FALSE(train.contains(pairs.anchor[i / 5], pairs.candidates[i] - 12));
        seen.insert(pairs.candidates[i]);
      }
    }
  EXPECT_EQ(seen.size(), 10u) << "every item is somebody's candidate";
}

// The sizes of Amazon-Beauty: 70,614 positives in batches of 4096.
TEST(PaperSampling, FullBatchesOnlyTheRestNeverAndHalfOfThePositivesInAnEpoch) {
  const std::int64_t users = 10553, items = 6086, positives = 70614;
  std::vector<Pair> pairs;
  for (std::int64_t i = 0; i < positives; ++i)
    pairs.emplace_back(static_cast<std::int32_t>(i % users),
                       static_cast<std::int32_t>((i / users * 601 + i) % items));
  const data::Csr train = data::make_csr(users, items, pairs);
  ASSERT_EQ(train.nnz(), positives);
  const Sampler samples(draws(train, nullptr), {4096, 5, Sampling::kPaper});
  ASSERT_EQ(samples.batches_per_epoch(), 18);
  std::set<Pair> ever;
  double covered = 0;
  const std::int64_t epochs = 30;
  for (std::int64_t epoch = 1; epoch <= epochs; ++epoch) {
    const auto batches = batches_of(samples, epoch);
    ASSERT_EQ(batches.size(), 18u);
    for (const frameworks::Batch& batch : batches) ASSERT_EQ(batch.pairs[kUserItem].size(), 4096);
    const Counts counts = count_positives(batches, kUserItem);
    covered += static_cast<double>(counts.size()) / positives / epochs;
    for (const auto& [pair, count] : counts) ever.insert(pair);
  }
  EXPECT_EQ(ever.size(), 17u * 4096) << "982 positives are never used";
  EXPECT_NEAR(covered, 0.52, 0.2);  // 52 % in the released code's first epoch
}

TEST(PaperSampling, TagTagPositivesComeFromTheFirstHalfOfTheEntriesInRowOrder) {
  const data::Csr train = some_train();
  data::TagGraph tags = some_tags();
  tags.edges = {{0, 1}, {0, 2}, {0, 3}};
  tags.tags.push_back({"d", 3});
  const Sampler samples(draws(train, &tags), {4, 1, Sampling::kPaper});
  std::set<Pair> seen;
  for (std::int64_t epoch = 1; epoch <= 40; ++epoch)
    for (const auto& [pair, count] : count_positives(batches_of(samples, epoch), kTagTag)) seen.insert(pair);
  for (const Pair& pair : seen) EXPECT_EQ(pair.first, 10) << "rows 1 to 3 lie in the second half";
}

}  // namespace
}  // namespace hyperllm::training
