// Item-kNN and iALS against their definitions: by hand, in float64 with NumPy (tests/golden/item_models.py),
// and by what must hold of any solution.
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "hyperllm/base/error.h"
#include "hyperllm/base/parallel.h"
#include "hyperllm/base/random.h"
#include "hyperllm/baselines/ials.h"
#include "hyperllm/baselines/item_knn.h"
#include "tests/support/folder.h"

namespace hyperllm::baselines {
namespace {

using Numbers = std::vector<double>;
using Pairs = std::vector<std::pair<std::int32_t, std::int32_t>>;

struct Golden {
  std::int64_t users, items, dim;
  double alpha0, lambda, shrink;
  std::int64_t neighbours;
  Pairs pairs;
  struct Knn {
    int similarity, weighting;
    Numbers weights;
  };
  std::vector<Knn> knn;
  Numbers start;
  struct Ials {
    double nu;
    Numbers objectives, users, items;
  };
  std::vector<Ials> ials;
};

const Golden& golden() {
  static const Golden values = {
#include "tests/golden/item_models.inc"
  };
  return values;
}

data::Csr golden_train() { return data::make_csr(golden().users, golden().items, golden().pairs); }

data::Csr random_train(std::int64_t users, std::int64_t items, double density) {
  Random random(3, "train");
  Pairs pairs;
  for (std::int32_t u = 0; u < users; ++u)
    for (std::int32_t i = 0; i < items; ++i)
      if (random.uniform() < density * 2 * (u + 1) / static_cast<double>(users)) pairs.emplace_back(u, i);
  return data::make_csr(users, items, pairs);
}

Numbers dense(const retrieval::SparseWeights& weights) {
  const std::int64_t items = weights.links.rows;
  Numbers all(static_cast<std::size_t>(items * items), 0);
  for (std::int64_t row = 0; row < items; ++row)
    for (std::int64_t e = weights.links.indptr[row]; e < weights.links.indptr[row + 1]; ++e)
      all[row * items + weights.links.indices[e]] = weights.values[e];
  return all;
}

void expect_near(const Numbers& values, const Numbers& expected, double tolerance) {
  ASSERT_EQ(values.size(), expected.size());
  for (std::size_t i = 0; i < values.size(); ++i) EXPECT_NEAR(values[i], expected[i], tolerance) << i;
}

Context stopped() {
  static std::stop_source source;
  source.request_stop();
  Context context;
  context.stop = source.get_token();
  return context;
}

class Threads : public ::testing::Test {
 protected:
  void TearDown() override { set_num_threads(0); }
};
using ItemKnn = Threads;
using Ials = Threads;

TEST_F(ItemKnn, IsItsDefinition) {
  ASSERT_EQ(golden().knn.size(), 9u);
  for (const Golden::Knn& of : golden().knn) {
    SCOPED_TRACE("similarity " + std::to_string(of.similarity) + ", weighting " +
                 std::to_string(of.weighting));
    expect_near(dense(item_knn(golden_train(),
                               {golden().neighbours, golden().shrink, static_cast<Similarity>(of.similarity),
                                static_cast<Weighting>(of.weighting)})),
                of.weights, 1e-7);
  }
}

// Users 0: items 0, 1; 1: items 0, 1, 2; 2: items 2, 3; 3: item 3. Every item has two users.
TEST_F(ItemKnn, JaccardByHand) {
  const Pairs pairs = {{0, 0}, {0, 1}, {1, 0}, {1, 1}, {1, 2}, {2, 2}, {2, 3}, {3, 3}};
  const data::Csr train = data::make_csr(4, 4, pairs);
  const double third = 1.0 / 3;
  expect_near(dense(item_knn(train, {4, 0, Similarity::kJaccard})),
              {0, 1, third, 0, 1, 0, third, 0, third, third, 0, third, 0, 0, third, 0}, 1e-6);
  // One neighbour a column; of the three that item 2 has, equally near, the first.
  expect_near(dense(item_knn(train, {1, 0, Similarity::kJaccard})),
              {0, 1, third, 0, 1, 0, 0, 0, 0, 0, 0, third, 0, 0, 0, 0}, 1e-6);
  expect_near(dense(item_knn(train, {4, 1, Similarity::kCosine})),
              {0, 2 * third, third, 0, 2 * third, 0, third, 0, third, third, 0, third, 0, 0, third, 0}, 1e-6);
}

TEST_F(ItemKnn, WithAllNeighboursIsSymmetric) {
  const data::Csr train = random_train(60, 40, 0.1);
  for (const auto similarity : {Similarity::kCosine, Similarity::kJaccard, Similarity::kDice}) {
    const Numbers all = dense(item_knn(train, {40, 0, similarity, Weighting::kTfIdf}));
    for (std::int64_t i = 0; i < 40; ++i) {
      EXPECT_EQ(all[i * 40 + i], 0);
      for (std::int64_t j = 0; j < i; ++j) EXPECT_FLOAT_EQ(all[i * 40 + j], all[j * 40 + i]);
    }
  }
  const auto few = item_knn(train, {5, 0});
  std::vector<std::int64_t> kept(40, 0);
  for (const std::int32_t column : few.links.indices) ++kept[column];
  EXPECT_EQ(*std::max_element(kept.begin(), kept.end()), 5);
}

TEST_F(ItemKnn, SameBytesForAnyNumberOfThreads) {
  const data::Csr train = random_train(300, 3000, 0.01);
  set_num_threads(1);
  const auto one = item_knn(train, {7, 3, Similarity::kCosine, Weighting::kBm25});
  for (const int threads : {2, 5}) {
    set_num_threads(threads);
    const auto more = item_knn(train, {7, 3, Similarity::kCosine, Weighting::kBm25});
    EXPECT_EQ(one.links.indptr, more.links.indptr);
    EXPECT_EQ(one.links.indices, more.links.indices);
    EXPECT_EQ(one.values, more.values);
  }
}

TEST_F(ItemKnn, ItemsThatShareNobodyHaveNoNeighbours) {
  const auto weights = item_knn(data::make_csr(3, 4, Pairs{{0, 0}, {1, 1}, {2, 1}}), {});
  EXPECT_EQ(weights.links.rows, 4);
  EXPECT_EQ(weights.links.nnz(), 0);
}

TEST_F(ItemKnn, RefusesWhatMakesNoSense) {
  const data::Csr train = random_train(20, 5, 0.5);
  for (const ItemKnnOptions bad : {ItemKnnOptions{0, 1}, {10, -1}, {10, std::nan("")}})
    test::expect_error(ErrorCode::kInvalidArgument, {"neighbours >= 1 and shrink >= 0"},
                       [&] { item_knn(train, bad); });
  test::expect_error(ErrorCode::kInvalidArgument, {"needs training interactions"}, [] {
    item_knn(data::Csr{2, 2, {0, 0, 0}, {}}, {});
  });
  test::expect_error(ErrorCode::kInvalidArgument, {"MB of memory", "fewer neighbours"}, [] {
    item_knn(data::Csr{1, 1'000'000'000'000, {0, 1}, {0}}, {});
  });
  test::expect_error(ErrorCode::kInterrupted, {"item-kNN"}, [&] { item_knn(train, {}, stopped()); });
}

IalsOptions ials_options(std::int64_t dim, double alpha0, double lambda, double nu) {
  IalsOptions options;
  options.dim = dim;
  options.alpha0 = alpha0;
  options.lambda = lambda;
  options.nu = nu;
  return options;
}

Numbers half_step(const data::Csr& observed, const Numbers& fixed, const IalsOptions& options) {
  const Context context;
  Progress progress(context, "test", observed.rows);
  Numbers solved = ials_half_step(observed, fixed, options, context, progress);
  EXPECT_EQ(progress.done(), observed.rows);
  return solved;
}

double dot(const Numbers& a, std::int64_t row, const Numbers& b, std::int64_t other, std::int64_t dim) {
  return std::inner_product(a.begin() + row * dim, a.begin() + (row + 1) * dim, b.begin() + other * dim, 0.0);
}

double objective(const data::Csr& train, const Numbers& users, const Numbers& items, const IalsOptions& of) {
  const data::Csr of_items = train.transposed();
  double sum = 0;
  for (std::int64_t u = 0; u < train.rows; ++u)
    for (std::int64_t i = 0; i < train.cols; ++i) {
      const double score = dot(users, u, items, i, of.dim);
      sum += of.alpha0 * score * score;
      if (train.contains(u, static_cast<std::int32_t>(i))) sum += (score - 1) * (score - 1);
    }
  const auto penalty = [&](const data::Csr& side, const Numbers& rows) {
    for (std::int64_t r = 0; r < side.rows; ++r)
      sum += of.lambda * dot(rows, r, rows, r, of.dim) *
             std::pow(static_cast<double>(side.row(r).size()) + of.alpha0 * static_cast<double>(side.cols),
                      of.nu);
  };
  penalty(train, users);
  penalty(of_items, items);
  return sum;
}

Numbers normal(std::int64_t count, double scale, const char* stream) {
  Random random(5, stream);
  Numbers values(static_cast<std::size_t>(count));
  for (double& value : values) value = scale * random.normal();
  return values;
}

TEST_F(Ials, HalfStepsAreThoseComputedInFloat64) {
  const data::Csr train = golden_train(), of_items = train.transposed();
  for (const Golden::Ials& of : golden().ials) {
    SCOPED_TRACE("nu " + std::to_string(of.nu));
    const IalsOptions options = ials_options(golden().dim, golden().alpha0, golden().lambda, of.nu);
    Numbers items = golden().start, users;
    Numbers objectives;
    for (int step = 0; step < 3; ++step) {
      users = half_step(train, items, options);
      if (step == 0) expect_near(users, of.users, 1e-12);
      objectives.push_back(objective(train, users, items, options));
      items = half_step(of_items, users, options);
      if (step == 0) expect_near(items, of.items, 1e-12);
      objectives.push_back(objective(train, users, items, options));
    }
    expect_near(objectives, of.objectives, 1e-11);
  }
}

TEST_F(Ials, TheObjectiveNeverRises) {
  const data::Csr train = random_train(50, 40, 0.15), of_items = train.transposed();
  for (const std::int64_t dim : {1, 4, 60})  // fewer and more dimensions than most rows have entries
    for (const double nu : {0.0, 1.0}) {
      const IalsOptions options = ials_options(dim, 0.05, 0.01, nu);
      Numbers items = normal(40 * dim, 0.3, "items"), users = normal(50 * dim, 0.3, "users");
      double last = objective(train, users, items, options);
      const double first = last;
      for (int step = 0; step < 6; ++step) {
        users = half_step(train, items, options);
        const double between = objective(train, users, items, options);
        EXPECT_LE(between, last * (1 + 1e-12));
        items = half_step(of_items, users, options);
        last = objective(train, users, items, options);
        EXPECT_LE(last, between * (1 + 1e-12));
      }
      EXPECT_LT(last, 0.9 * first);
    }
}

TEST_F(Ials, ARowIsWhereTheGradientVanishes) {
  const data::Csr train = random_train(30, 40, 0.3);
  for (const std::int64_t dim : {3, 12, 70}) {
    const IalsOptions options = ials_options(dim, 0.2, 0.02, 0.8);
    const Numbers items = normal(40 * dim, 0.5, "items"), users = half_step(train, items, options);
    for (std::int64_t at = 0; at < 30 * dim; at += 7) {
      const auto moved = [&](double by) {
        Numbers other = users;
        other[at] += by;
        return objective(train, other, items, options);
      };
      EXPECT_NEAR(moved(1e-4) - moved(-1e-4), 0, 1e-9) << dim << " dimensions, " << at;
      EXPECT_GT(moved(0.1), moved(0));
    }
  }
}

TEST_F(Ials, WithoutPenaltiesObservedScoresAreOne) {
  const data::Csr train = random_train(20, 15, 0.2);
  IalsOptions options = ials_options(40, 1e-9, 1e-9, 1);
  const IalsModel model = ials(train, options, 1);
  for (std::int64_t u = 0; u < train.rows; ++u)
    for (const std::int32_t i : train.row(u)) {
      const auto w = model.users.row(u), h = model.items.row(i);
      EXPECT_NEAR(std::inner_product(w.begin(), w.end(), h.begin(), 0.0), 1, 1e-3);
    }
}

TEST_F(Ials, AUserAloneGetsWhatHeGetsAmongOthers) {
  const data::Csr train = random_train(30, 40, 0.2);
  const IalsOptions options = ials_options(5, 0.1, 0.01, 1);
  const Numbers items = normal(40 * 5, 0.5, "items"), all = half_step(train, items, options);
  for (const std::int64_t user : {0, 17, 29}) {
    const auto seen = train.row(user);
    const data::Csr alone = {1, 40, {0, std::ssize(seen)}, {seen.begin(), seen.end()}};
    expect_near(half_step(alone, items, options),
                Numbers(all.begin() + user * 5, all.begin() + (user + 1) * 5), 1e-14);
  }
}

TEST_F(Ials, PermutingIdsPermutesTheResult) {
  const data::Csr train = random_train(12, 10, 0.3);
  const IalsOptions options = ials_options(4, 0.1, 0.01, 1);
  const Numbers items = normal(10 * 4, 0.5, "items"), users = half_step(train, items, options);
  Pairs pairs;
  Numbers moved_items(40);
  const auto user_of = [](std::int64_t u) { return static_cast<std::int32_t>(u * 5 % 12); };
  const auto item_of = [](std::int64_t i) { return static_cast<std::int32_t>((i * 3 + 2) % 10); };
  for (std::int64_t u = 0; u < 12; ++u)
    for (const std::int32_t i : train.row(u)) pairs.emplace_back(user_of(u), item_of(i));
  for (std::int64_t i = 0; i < 10; ++i)
    std::copy_n(items.begin() + i * 4, 4, moved_items.begin() + item_of(i) * 4);
  const Numbers moved = half_step(data::make_csr(12, 10, pairs), moved_items, options);
  for (std::int64_t u = 0; u < 12; ++u)
    for (std::int64_t k = 0; k < 4; ++k) EXPECT_NEAR(moved[user_of(u) * 4 + k], users[u * 4 + k], 1e-12) << u;
}

TEST_F(Ials, SameBytesForAnyNumberOfThreadsAndAnotherSeedOthers) {
  const data::Csr train = random_train(200, 150, 0.05);
  IalsOptions options = ials_options(70, 0.1, 0.003, 1);
  options.iterations = 2;
  set_num_threads(1);
  const IalsModel one = ials(train, options, 1);
  EXPECT_NE(one.users.values, ials(train, options, 2).users.values);
  for (const int threads : {2, 5}) {
    set_num_threads(threads);
    const IalsModel more = ials(train, options, 1);
    EXPECT_EQ(one.users.values, more.users.values);
    EXPECT_EQ(one.items.values, more.items.values);
  }
}

TEST_F(Ials, WhoHasNothingIsAtTheOrigin) {
  const IalsModel model = ials(golden_train(), ials_options(3, 0.3, 0.05, 1), 1);
  for (const float value : model.users.row(2)) EXPECT_EQ(value, 0);
  for (const float value : model.items.row(5)) EXPECT_EQ(value, 0);
}

TEST_F(Ials, RefusesWhatMakesNoSense) {
  const data::Csr train = random_train(20, 5, 0.5);
  for (const IalsOptions& bad :
       {ials_options(0, 0.1, 0.1, 1), ials_options(4, 0, 0.1, 1), ials_options(4, 0.1, 0, 1),
        ials_options(4, 0.1, 0.1, -1), ials_options(4, 0.1, std::nan(""), 1)})
    test::expect_error(ErrorCode::kInvalidArgument, {"iALS: expected dim >= 1"},
                       [&] { ials(train, bad, 1); });
  test::expect_error(ErrorCode::kInvalidArgument, {"needs training interactions"}, [] {
    ials(data::Csr{2, 2, {0, 0, 0}, {}}, {}, 1);
  });
  test::expect_error(ErrorCode::kInvalidArgument, {"MB of memory", "fewer dimensions"}, [] {
    ials(data::Csr{1, 1'000'000'000'000, {0, 1}, {0}}, {}, 1);
  });
  for (const std::int64_t iterations : {1, 5}) {
    IalsOptions options = ials_options(30, 1e-310, 1e-310, 0);
    options.iterations = iterations;
    test::expect_error(ErrorCode::kNonFinite, {"larger lambda or alpha0"}, [&] { ials(train, options, 1); });
  }
  test::expect_error(ErrorCode::kInterrupted, {"iALS", "start again"},
                     [&] { ials(train, {}, 1, stopped()); });
}

}  // namespace
}  // namespace hyperllm::baselines
