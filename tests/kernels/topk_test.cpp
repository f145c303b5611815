// The masked top-k against a full sort: of its own scores to the last place, of float64 scores where those
// differ clearly; on every instruction set that this processor has.
#include "hyperllm/kernels/topk.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <limits>
#include <numeric>
#include <string>

#include "hyperllm/base/parallel.h"
#include "hyperllm/base/random.h"
#include "tests/support/points.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tests/kernels/topk_test.cpp"
// clang-format off: foreach_target.h must come first
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
// clang-format on

HWY_BEFORE_NAMESPACE();
namespace hyperllm::kernels::HWY_NAMESPACE {

std::int64_t topk_target_in_use() { return HWY_TARGET; }

}  // namespace hyperllm::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace hyperllm::kernels {

HWY_EXPORT(topk_target_in_use);

namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

using Floats = std::vector<float>;
using Ids = std::vector<std::int32_t>;

void on_every_target(const std::function<void()>& body) {
  const std::vector<std::int64_t> targets = hwy::SupportedAndGeneratedTargets();
  ASSERT_GE(targets.size(), HWY_ARCH_X86 ? 2u : 1u) << "one target alone compares nothing";
  for (std::int64_t target : targets) {
    SCOPED_TRACE(hwy::TargetName(target));
    hwy::SetSupportedTargetsForTest(target);
    EXPECT_EQ(HWY_DYNAMIC_DISPATCH(topk_target_in_use)(), target);
    body();
    hwy::SetSupportedTargetsForTest(0);
  }
  SCOPED_TRACE("all of them: what the processor has beside its vector units");
  body();
}

struct Mask {
  std::vector<std::int64_t> indptr = {0};
  Ids indices;

  Mask(std::int64_t users, std::int64_t items, double density, std::uint64_t seed) {
    Random random(seed, "mask");
    for (std::int64_t u = 0; u < users; ++u) {
      for (std::int64_t i = 0; i < items; ++i)
        if (random.uniform() < density) indices.push_back(static_cast<std::int32_t>(i));
      indptr.push_back(std::ssize(indices));
    }
  }
  bool contains(std::int32_t user, std::int32_t item) const {
    return std::binary_search(indices.begin() + indptr[user], indices.begin() + indptr[user + 1], item);
  }
  MaskRows view() const { return {indptr, indices}; }
};

struct Result {
  Ids items;
  Floats scores;
  std::optional<NanScore> nan;
};

// A ranking problem with everything that a search takes.
struct Problem {
  std::int64_t users, items, dim;
  Floats x, y, x_last, y_last;
  std::vector<Mask> masks;
  Ids order;

  Problem(std::int64_t num_users, std::int64_t num_items, std::int64_t num_dims, bool with_last = false,
          std::uint64_t seed = 1)
      : users(num_users),
        items(num_items),
        dim(num_dims),
        x(test::normal_floats(users * dim, seed)),
        y(test::normal_floats(items * dim, seed + 100)),
        order(static_cast<std::size_t>(users)) {
    if (with_last) {
      x_last = test::normal_floats(users, seed + 200);
      y_last = test::normal_floats(items, seed + 300);
    }
    std::iota(order.begin(), order.end(), 0);
  }

  EmbeddingRows queries() const { return {x, dim, x_last}; }
  EmbeddingRows catalogue() const { return {y, dim, y_last}; }

  // On steps of 1/4, so that sums are exact on every target and ties are everywhere.
  void round() {
    for (Floats* values : {&x, &y, &x_last, &y_last})
      for (float& value : *values) value = std::round(value * 2) / 2;
  }

  double exact(std::int32_t user, std::int32_t item) const {
    double sum = 0;
    for (std::int64_t k = 0; k < dim; ++k) sum += static_cast<double>(x[user * dim + k]) * y[item * dim + k];
    return x_last.empty() ? sum : sum + static_cast<double>(x_last[user]) * y_last[item];
  }

  bool masked(std::int32_t user, std::int32_t item) const {
    return std::any_of(masks.begin(), masks.end(), [&](const Mask& m) { return m.contains(user, item); });
  }

  Result search(std::int64_t k, std::span<std::int32_t> head_start = {}) const {
    Result result;
    // Stale contents must not survive.
    result.items.assign(order.size() * static_cast<std::size_t>(k), 12345);
    result.scores.assign(result.items.size(), 12345);
    std::vector<MaskRows> views;
    for (const Mask& mask : masks) views.push_back(mask.view());
    result.nan = masked_top_k(queries(), ItemPanels(catalogue()), order, views, k, result.items,
                              result.scores, head_start);
    return result;
  }

  Floats all_scores() const {
    Floats scores(order.size() * static_cast<std::size_t>(items));
    inner_products(queries(), ItemPanels(catalogue()), order, scores);
    return scores;
  }

  // A full sort of `scores` (positions x items).
  Result sorted(std::int64_t k, const Floats& scores) const {
    Result result;
    for (std::size_t p = 0; p < order.size(); ++p) {
      const float* row = scores.data() + static_cast<std::int64_t>(p) * items;
      Ids left;
      for (std::int32_t i = 0; i < items; ++i)
        if (!masked(order[p], i)) left.push_back(i);
      std::stable_sort(left.begin(), left.end(), [&](auto a, auto b) { return row[a] > row[b]; });
      left.resize(static_cast<std::size_t>(k), -1);
      for (std::int32_t item : left) {
        result.items.push_back(item);
        result.scores.push_back(item < 0 ? -kInfinity : row[item]);
      }
    }
    return result;
  }
};

void expect_same(const Result& found, const Result& expected, const std::string& what) {
  EXPECT_FALSE(found.nan.has_value()) << what;
  EXPECT_EQ(found.items, expected.items) << what;
  EXPECT_EQ(found.scores, expected.scores) << what;
}

TEST(MaskedTopK, EqualsAFullSortAroundPanelsAndVectors) {
  on_every_target([] {
    for (const std::int64_t items : {1, 3, 4, 15, 16, 17, 31, 32, 33, 63, 64, 65, 257})
      for (const std::int64_t users : {1, 5, 12, 13, 97})
        for (const std::int64_t dim : {1, 7}) {
          Problem problem(users, items, dim, dim == 7);
          problem.masks.emplace_back(users, items, 0.2, 1);
          for (const std::int64_t k : {1, 2, 20, 33, 300})
            expect_same(problem.search(k), problem.sorted(k, problem.all_scores()),
                        std::to_string(users) + " users, " + std::to_string(items) + " items, k " +
                            std::to_string(k));
        }
  });
}

TEST(MaskedTopK, ScoresAreTheFloat64InnerProducts) {
  Problem problem(29, 203, 49, true);
  on_every_target([&] {
    const Floats scores = problem.all_scores();
    for (std::int32_t u = 0; u < problem.users; ++u)
      for (std::int32_t i = 0; i < problem.items; ++i)
        EXPECT_NEAR(scores[u * problem.items + i], problem.exact(u, i), 2e-5) << u << ", " << i;
  });
}

// Sums that round nowhere: every target must give the float64 ranking itself, ties to the smaller id.
TEST(MaskedTopK, TiesAndDuplicatesGoToTheSmallerId) {
  Problem problem(40, 700, 6, true);
  problem.round();
  std::copy_n(problem.y.begin(), 300 * problem.dim, problem.y.begin() + 350 * problem.dim);
  std::copy_n(problem.y_last.begin(), 300, problem.y_last.begin() + 350);
  problem.masks.emplace_back(40, 700, 0.05, 2);
  problem.masks.emplace_back(40, 700, 0.3, 3);
  Floats exact;
  for (std::int32_t u = 0; u < problem.users; ++u)
    for (std::int32_t i = 0; i < problem.items; ++i)
      exact.push_back(static_cast<float>(problem.exact(u, i)) + 0.0F);
  on_every_target([&] {
    for (const std::int64_t k : {1, 20, 64, 150, 699, 701}) {
      expect_same(problem.search(k), problem.sorted(k, exact), "k " + std::to_string(k));
      Ids head_start(problem.order.size() * static_cast<std::size_t>(k), -1);
      problem.search(k, head_start);
      expect_same(problem.search(k, head_start), problem.sorted(k, exact), "warm, k " + std::to_string(k));
    }
  });
}

TEST(MaskedTopK, AllEqualScores) {
  Problem problem(14, 1000, 3);
  std::fill(problem.x.begin(), problem.x.end(), 0.0F);
  problem.x[0] = -0.0F;
  problem.masks.emplace_back(14, 1000, 0.5, 4);
  on_every_target([&] {
    Ids head_start(problem.order.size() * 20, -1);
    for (int round = 0; round < 2; ++round) {
      const Result result = problem.search(20, head_start);
      expect_same(result, problem.sorted(20, Floats(14 * 1000, 0.0F)), "round " + std::to_string(round));
      EXPECT_FALSE(std::any_of(result.scores.begin(), result.scores.end(),
                               [](float score) { return std::signbit(score); }));
    }
  });
}

TEST(MaskedTopK, NothingLeft) {
  Problem problem(13, 70, 4);
  problem.masks.emplace_back(13, 70, 1.1, 1);
  on_every_target([&] {
    Ids head_start(13 * 5, -1);
    for (int round = 0; round < 2; ++round) {
      const Result result = problem.search(5, head_start);
      EXPECT_EQ(result.items, Ids(13 * 5, -1));
      EXPECT_EQ(result.scores, Floats(13 * 5, -kInfinity));
      EXPECT_EQ(head_start, Ids(13 * 5, -1));
    }
  });
}

TEST(MaskedTopK, NoItemsAndNoUsers) {
  Problem no_items(3, 0, 4), no_users(0, 5, 4);
  EXPECT_EQ(no_items.search(2).items, Ids(6, -1));
  EXPECT_TRUE(no_users.search(2).items.empty());
}

TEST(MaskedTopK, UsersInAnyOrderAndRepeated) {
  Problem problem(50, 300, 9);
  problem.masks.emplace_back(50, 300, 0.3, 1);
  problem.order = {49, 3, 3, 17, 0, 49};
  on_every_target([&] { expect_same(problem.search(20), problem.sorted(20, problem.all_scores()), ""); });
}

TEST(MaskedTopK, MisalignedSpans) {
  Problem problem(25, 130, 11, true);
  problem.masks.emplace_back(25, 130, 0.1, 1);
  const Result aligned = problem.search(20);
  Floats x(problem.x.size() + 1), y(problem.y.size() + 1), scores(aligned.scores.size() + 1);
  std::copy(problem.x.begin(), problem.x.end(), x.begin() + 1);
  std::copy(problem.y.begin(), problem.y.end(), y.begin() + 1);
  Ids items(aligned.items.size() + 1), head_start(items.size(), -1);
  const MaskRows masks[] = {problem.masks[0].view()};
  for (int round = 0; round < 2; ++round) {
    const ItemPanels panels({std::span(y).subspan(1), 11, problem.y_last});
    masked_top_k({std::span(x).subspan(1), 11, problem.x_last}, panels, problem.order, masks, 20,
                 std::span(items).subspan(1), std::span(scores).subspan(1), std::span(head_start).subspan(1));
    EXPECT_TRUE(std::equal(aligned.items.begin(), aligned.items.end(), items.begin() + 1));
    EXPECT_TRUE(std::equal(aligned.scores.begin(), aligned.scores.end(), scores.begin() + 1));
  }
}

TEST(MaskedTopK, InfinitiesAreOrdinaryScores) {
  Problem problem(2, 40, 1);
  std::fill(problem.x.begin(), problem.x.end(), 1.0F);
  std::fill(problem.y.begin(), problem.y.end(), -kInfinity);
  problem.y[39] = kInfinity;
  problem.y[7] = 1;
  Floats scores = problem.y;
  scores.insert(scores.end(), problem.y.begin(), problem.y.end());
  on_every_target([&] {
    Ids head_start(2 * 5, -1);
    for (int round = 0; round < 2; ++round)
      expect_same(problem.search(5, head_start), problem.sorted(5, scores), "round " + std::to_string(round));
  });
}

TEST(MaskedTopK, NanIsFoundWhereverItStands) {
  on_every_target([] {
    for (const std::int32_t item : {0, 15, 31, 32, 69}) {
      Problem problem(120, 70, 3);
      problem.y[item * 3 + 1] = kNan;
      problem.x[0] = 0;
      problem.masks.emplace_back(120, 70, 1.1, 1);  // masked items count too
      const Result result = problem.search(2);
      ASSERT_TRUE(result.nan.has_value());
      EXPECT_EQ(result.nan->position, 0);
      EXPECT_EQ(result.nan->item, item);
    }
    for (const std::int64_t user : {0, 5, 100, 119}) {
      Problem problem(120, 70, 3);
      Ids head_start(120 * 2, -1);
      problem.search(2, head_start);
      // Infinity minus infinity.
      problem.x[user * 3] = problem.x[user * 3 + 1] = kInfinity;
      problem.y[33 * 3] = 1;
      problem.y[33 * 3 + 1] = -1;
      problem.y[34 * 3] = 1;
      problem.y[34 * 3 + 1] = -1;
      for (std::int64_t i = 0; i < 33; ++i) problem.y[i * 3] = problem.y[i * 3 + 1] = 1;
      const Result result = problem.search(2, head_start);
      ASSERT_TRUE(result.nan.has_value());
      EXPECT_EQ(result.nan->position, user);
      EXPECT_EQ(result.nan->item, 33);
    }
  });
}

// Last epoch's lists after a small step; lists of another model; nonsense.
TEST(MaskedTopK, HeadStartNeverChangesTheResult) {
  Problem problem(300, 900, 17, true);
  problem.masks.emplace_back(300, 900, 0.02, 1);
  const std::int64_t k = 20;
  on_every_target([&] {
    Ids head_start(300 * k, -1);
    const Result first = problem.search(k, head_start);
    for (std::size_t p = 0; p < 300; ++p) {
      Ids list(first.items.begin() + p * k, first.items.begin() + (p + 1) * k);
      std::sort(list.begin(), list.end());
      ASSERT_TRUE(std::equal(list.begin(), list.end(), head_start.begin() + p * k)) << "ascending";
    }
    Problem moved = problem;
    for (std::size_t i = 0; i < moved.y.size(); ++i)
      moved.y[i] += 0.05F * problem.y[(7 * i) % moved.y.size()];
    const Result expected = moved.search(k);
    EXPECT_NE(expected.items, first.items);
    expect_same(moved.search(k, head_start), expected, "after a step");
    expect_same(moved.search(k, head_start), expected, "unchanged");
    for (const std::int32_t bad : {-7, 5, 899, 900, 1 << 30}) {
      std::fill(head_start.begin(), head_start.end(), bad);
      expect_same(moved.search(k, head_start), expected, "all " + std::to_string(bad));
    }
    // The best item, masked, and only it: a bar that nothing else passes.
    Problem masked = moved;
    masked.masks.clear();
    for (std::int64_t p = 0; p < 300; ++p)
      std::fill_n(head_start.begin() + p * k, k, expected.items[static_cast<std::size_t>(p * k)]);
    Mask best(300, 900, -1, 1);
    best.indices.clear();
    for (std::int64_t p = 0; p < 300; ++p) {
      best.indices.push_back(expected.items[static_cast<std::size_t>(p * k)]);
      best.indptr[static_cast<std::size_t>(p + 1)] = p + 1;
    }
    masked.masks.push_back(best);
    expect_same(masked.search(k, head_start), masked.sorted(k, masked.all_scores()), "a masked head start");
  });
}

TEST(MaskedTopK, SameBytesForAnyNumberOfThreadsAndAnyBatch) {
  Problem problem(500, 777, 33, true);
  problem.masks.emplace_back(500, 777, 0.02, 1);
  set_num_threads(1);
  const Result one = problem.search(20);
  for (const int threads : {2, 4}) {
    set_num_threads(threads);
    Ids head_start(500 * 20, -1);
    for (int round = 0; round < 2; ++round) {
      const Result more = problem.search(20, head_start);
      EXPECT_EQ(one.items, more.items);
      EXPECT_EQ(std::memcmp(one.scores.data(), more.scores.data(), one.scores.size() * sizeof(float)), 0);
    }
  }
  set_num_threads(0);
  problem.order = {499};
  const Result alone = problem.search(20);
  EXPECT_TRUE(std::equal(alone.items.begin(), alone.items.end(), one.items.end() - 20));
  EXPECT_TRUE(std::equal(alone.scores.begin(), alone.scores.end(), one.scores.end() - 20));
}

// Many more items and a k of hundreds: lists are cut many times.
TEST(MaskedTopK, LongCatalogue) {
  Problem problem(13, 20011, 8);
  problem.masks.emplace_back(13, 20011, 0.1, 1);
  for (const std::int64_t k : {20, 400}) {
    expect_same(problem.search(k), problem.sorted(k, problem.all_scores()), "k " + std::to_string(k));
    // Ever better items: every one of them is a hit.
    Problem rising = problem;
    for (std::int64_t i = 0; i < rising.items; ++i)
      for (std::int64_t d = 0; d < 8; ++d) rising.y[i * 8 + d] = rising.x[d] * static_cast<float>(i);
    expect_same(rising.search(k), rising.sorted(k, rising.all_scores()), "rising, k " + std::to_string(k));
  }
}

// What a trained model does: the items of a user's history are its best.
TEST(MaskedTopK, TheBestAreMasked) {
  const std::int64_t users = 150, items = 2000, best = 40;
  Problem problem(users, items, 9, true);
  Mask mask(users, items, -1, 1);
  const Floats scores = problem.all_scores();
  for (std::int64_t u = 0; u < users; ++u) {
    Ids ids(items);
    std::iota(ids.begin(), ids.end(), 0);
    std::sort(ids.begin(), ids.end(),
              [&](auto a, auto b) { return scores[u * items + a] > scores[u * items + b]; });
    std::sort(ids.begin(), ids.begin() + best);
    mask.indices.insert(mask.indices.end(), ids.begin(), ids.begin() + best);
    mask.indptr[u + 1] = std::ssize(mask.indices);
  }
  problem.masks.push_back(mask);
  on_every_target([&] {
    for (const std::int64_t k : {1, 20})
      expect_same(problem.search(k), problem.sorted(k, problem.all_scores()), "k " + std::to_string(k));
  });
}

// More users than one block takes and more items than are looked at together.
TEST(MaskedTopK, ManyBlocks) {
  Problem problem(810, 8500, 5, true);
  problem.masks.emplace_back(810, 8500, 0.002, 1);
  set_num_threads(1);
  on_every_target(
      [&] { expect_same(problem.search(20), problem.sorted(20, problem.all_scores()), "many blocks"); });
  set_num_threads(0);
}

}  // namespace
}  // namespace hyperllm::kernels
#endif  // HWY_ONCE
