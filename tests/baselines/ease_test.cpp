// EASE against a plain inverse, by either way to it, and its promises about threads and memory.
#include "hyperllm/baselines/ease.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "hyperllm/base/error.h"
#include "hyperllm/base/memory.h"
#include "hyperllm/base/parallel.h"
#include "hyperllm/base/random.h"
#include "hyperllm/baselines/cholesky.h"

namespace hyperllm::baselines {
namespace {

data::Csr random_train(std::int64_t users, std::int64_t items, double density) {
  Random random(3, "train");
  data::Csr csr{users, items, {0}, {}};
  for (std::int64_t u = 0; u < users; ++u) {
    for (std::int64_t i = 0; i < items; ++i)
      if (random.uniform() < density) csr.indices.push_back(static_cast<std::int32_t>(i));
    csr.indptr.push_back(csr.nnz());
  }
  return csr;
}

using Square = std::vector<std::vector<double>>;

Square ridge_gram(const data::Csr& train, double lambda) {
  Square g(static_cast<std::size_t>(train.cols), std::vector<double>(static_cast<std::size_t>(train.cols)));
  for (std::int64_t u = 0; u < train.rows; ++u)
    for (const auto i : train.row(u))
      for (const auto j : train.row(u)) g[i][j] += 1;
  for (std::size_t i = 0; i < g.size(); ++i) g[i][i] += lambda;
  return g;
}

// Gauss-Jordan without pivoting, good enough for a positive definite matrix.
Square inverse(Square a) {
  const std::size_t n = a.size();
  Square b(n, std::vector<double>(n));
  for (std::size_t i = 0; i < n; ++i) b[i][i] = 1;
  for (std::size_t k = 0; k < n; ++k) {
    const double pivot = a[k][k];
    for (std::size_t j = 0; j < n; ++j) {
      a[k][j] /= pivot;
      b[k][j] /= pivot;
    }
    for (std::size_t i = 0; i < n; ++i) {
      const double factor = a[i][k];
      if (i == k || factor == 0) continue;
      for (std::size_t j = 0; j < n; ++j) {
        a[i][j] -= factor * a[k][j];
        b[i][j] -= factor * b[k][j];
      }
    }
  }
  return b;
}

struct Shape {
  std::int64_t users, items;
  double density, lambda;
};

class EaseShapes : public ::testing::TestWithParam<Shape> {};

TEST_P(EaseShapes, EqualsThePlainInverse) {
  const Shape shape = GetParam();
  const data::Csr train = random_train(shape.users, shape.items, shape.density);
  EaseOptions options;
  options.lambda = shape.lambda;
  const artifact::Matrix weights = ease(train, options);
  ASSERT_EQ(weights.rows, shape.items);
  ASSERT_EQ(weights.cols, shape.items);
  const Square p = inverse(ridge_gram(train, shape.lambda));
  double worst = 0;
  for (std::int64_t i = 0; i < shape.items; ++i) {
    EXPECT_EQ(weights.row(i)[static_cast<std::size_t>(i)], 0.0F);
    for (std::int64_t j = 0; j < shape.items; ++j)
      if (i != j) worst = std::max(worst, std::abs(weights.values[i * shape.items + j] + p[i][j] / p[j][j]));
  }
  EXPECT_LT(worst, 1e-7);
}

// Sizes around the block of 128, more users than items and the other way round.
INSTANTIATE_TEST_SUITE_P(Ways, EaseShapes,
                         ::testing::Values(Shape{50, 7, 0.3, 1}, Shape{700, 128, 0.05, 100},
                                           Shape{900, 300, 0.03, 10}, Shape{30, 300, 0.1, 5},
                                           Shape{140, 401, 0.05, 100}, Shape{1, 3, 1, 0.5}));

// More items than a block of the solver, more items than users.
TEST(Ease, WithSideInformationEqualsThePlainInverse) {
  const std::int64_t items = 300, tags = 40, columns = 5;
  const data::Csr train = random_train(90, items, 0.03), tag_items = random_train(tags, items, 0.1);
  artifact::Matrix embeddings{items, columns, {}};
  Random random(5, "embeddings");
  for (std::int64_t i = 0; i < items * columns; ++i)
    embeddings.values.push_back(static_cast<float>(random.uniform(-1, 2)));
  const data::Csr item_tags = tag_items.transposed();
  const EaseOptions options = {3, 0.5, 0.4, 2};
  set_num_threads(1);
  const artifact::Matrix weights = ease(train, options, {}, {&item_tags, &embeddings});
  set_num_threads(3);
  const artifact::Matrix again = ease(train, options, {}, {&item_tags, &embeddings});
  set_num_threads(0);
  EXPECT_EQ(weights.values, again.values);

  Square g = ridge_gram(train, options.lambda);
  const data::Csr users = train.transposed();
  for (std::int64_t i = 0; i < items; ++i) g[i][i] += static_cast<double>(users.row(i).size());
  for (std::int64_t t = 0; t < tags; ++t) {
    const auto of_tag = static_cast<double>(tag_items.row(t).size());
    const double idf = 1 - std::log(of_tag) / std::log(static_cast<double>(items));
    for (const auto i : tag_items.row(t))
      for (const auto j : tag_items.row(t)) g[i][j] += options.tag_weight * idf * idf;
  }
  Square v(static_cast<std::size_t>(items), std::vector<double>(static_cast<std::size_t>(columns)));
  for (std::int64_t c = 0; c < columns; ++c) {
    double mean = 0;
    for (std::int64_t i = 0; i < items; ++i) mean += embeddings.values[i * columns + c] / items;
    for (std::int64_t i = 0; i < items; ++i) v[i][c] = embeddings.values[i * columns + c] - mean;
  }
  const auto dot = [&](std::int64_t i, std::int64_t j) {
    double sum = 0;
    for (std::int64_t c = 0; c < columns; ++c) sum += v[i][c] * v[j][c];
    return sum;
  };
  for (std::int64_t i = 0; i < items; ++i)
    for (std::int64_t j = 0; j < items; ++j)
      g[i][j] += options.embedding_weight * dot(i, j) / std::sqrt(dot(i, i) * dot(j, j));
  const Square p = inverse(g);
  double worst = 0;
  for (std::int64_t i = 0; i < items; ++i)
    for (std::int64_t j = 0; j < items; ++j)
      if (i != j) worst = std::max(worst, std::abs(weights.values[i * items + j] + p[i][j] / p[j][j]));
  EXPECT_LT(worst, 1e-6);
}

TEST(Ease, TakesTheCheaperWay) {
  EXPECT_FALSE(plan_ease(10553, 6086).by_users);
  EXPECT_TRUE(plan_ease(671, 9066).by_users);
  EXPECT_NEAR(plan_ease(10553, 6086).bytes, 12.0 * 6086 * 6086, 1e7);
  EXPECT_FALSE(plan_ease(671, 9066, {100, 0.5}).by_users) << "which only the plain model can";
}

TEST(Ease, SameBytesForAnyNumberOfThreads) {
  for (const auto& [users, items] : {std::pair{900, 500}, {200, 500}}) {
    const data::Csr train = random_train(users, items, 0.03);
    set_num_threads(1);
    const artifact::Matrix one = ease(train, {});
    for (const int threads : {2, 4}) {
      set_num_threads(threads);
      const artifact::Matrix more = ease(train, {});
      EXPECT_EQ(std::memcmp(one.values.data(), more.values.data(), one.values.size() * sizeof(float)), 0);
    }
    set_num_threads(0);
  }
}

class RecordingSink final : public Sink {
 public:
  void message(Level, std::string_view text) override { messages.emplace_back(text); }
  void progress(std::string_view, std::int64_t, std::int64_t, double, double, std::string_view,
                bool) override {
    ++reports;
  }
  std::vector<std::string> messages;
  int reports = 0;
};

TEST(Ease, SizeThatDoesNotFitIsAnErrorBeforeTheWork) {
  RecordingSink sink;
  EaseOptions options;
  options.memory_gib = 1;
  const data::Csr huge = {1000000, 500000, std::vector<std::int64_t>(1000001, 1), {0}};
  try {
    ease(huge, options, {&sink});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
    EXPECT_NE(std::string(error.what()).find("1.00 GiB are allowed (memory_gib)"), std::string::npos)
        << error.what();
    EXPECT_NE(std::string(error.what()).find("about 9458 items"), std::string::npos) << error.what();
    EXPECT_NE(std::string(error.what()).find("ease_neighbours 200"), std::string::npos);
  }
  ASSERT_EQ(sink.messages.size(), 1u);
  EXPECT_NE(sink.messages[0].find("500000 items"), std::string::npos);
  EXPECT_EQ(sink.reports, 0);
  EXPECT_GT(available_memory(), 0);
}

TEST(Ease, BadOptions) {
  const data::Csr train = random_train(20, 5, 0.5);
  for (const double lambda : {0.0, -1.0, std::nan("")}) {
    EaseOptions options;
    options.lambda = lambda;
    EXPECT_THROW(ease(train, options), Error);
  }
  EXPECT_THROW(ease(data::Csr{2, 2, {0, 0, 0}, {}}, {}), Error);
}

TEST(Ease, StopsWhenAsked) {
  std::stop_source source;
  source.request_stop();
  Context context;
  context.stop = source.get_token();
  try {
    ease(random_train(20, 5, 0.5), {}, context);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInterrupted);
  }
}

TEST(Cholesky, IndefiniteMatrixIsAnError) {
  std::vector<double> a = {1, 0, 2, 1};
  try {
    cholesky(a, 2);
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("not positive definite (row 1)"), std::string::npos);
  }
}

}  // namespace
}  // namespace hyperllm::baselines
