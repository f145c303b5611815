#include "hyperllm/text/svd.h"

#include <gtest/gtest.h>

#include <Eigen/Dense>
#include <cmath>

#include "hyperllm/base/error.h"
#include "hyperllm/base/parallel.h"
#include "hyperllm/base/random.h"

namespace hyperllm::text {
namespace {

using Eigen::Index;
using Eigen::MatrixXd;

SparseMatrix sparse(const MatrixXd& dense) {
  SparseMatrix out;
  out.rows = dense.rows();
  out.cols = dense.cols();
  for (Index r = 0; r < dense.rows(); ++r) {
    for (Index c = 0; c < dense.cols(); ++c) {
      if (dense(r, c) == 0) continue;
      out.indices.push_back(static_cast<std::int32_t>(c));
      out.values.push_back(static_cast<float>(dense(r, c)));
    }
    out.indptr.push_back(out.nnz());
  }
  return out;
}

MatrixXd random_dense(Index rows, Index cols, double density, std::uint64_t seed) {
  Random random(seed, "svd_test");
  MatrixXd out = MatrixXd::Zero(rows, cols);
  for (Index i = 0; i < out.size(); ++i)
    if (random.uniform() < density) out(i) = random.normal();
  return out.cast<float>().cast<double>();
}

MatrixXd vectors(const Svd& svd, Index cols) {
  const Index dimension = static_cast<Index>(svd.singular_values.size());
  return Eigen::Map<const Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>>(
             svd.v.data(), cols, dimension)
      .cast<double>();
}

// Compares the leading values, the subspace they span and the rank-k reconstruction with Eigen's dense SVD.
void expect_matches_dense(const MatrixXd& dense, std::int64_t dimension, std::int64_t rank, double tolerance,
                          std::int64_t iterations = 4) {
  const Svd svd = truncated_svd(sparse(dense), {.dimension = dimension, .iterations = iterations});
  const Eigen::BDCSVD<MatrixXd> reference(dense, Eigen::ComputeThinU | Eigen::ComputeThinV);
  const double largest = reference.singularValues()(0);
  ASSERT_EQ(svd.rank, rank);
  for (std::int64_t c = 0; c < dimension; ++c)
    EXPECT_NEAR(svd.singular_values[c], c < rank ? reference.singularValues()(c) : 0, tolerance * largest)
        << c;

  const MatrixXd v = vectors(svd, dense.cols());
  const MatrixXd head = v.leftCols(rank);
  EXPECT_LT((head.transpose() * head - MatrixXd::Identity(rank, rank)).cwiseAbs().maxCoeff(), 1e-5);
  EXPECT_EQ(v.rightCols(dimension - rank).cwiseAbs().sum(), 0);
  const MatrixXd expected = reference.matrixV().leftCols(rank);
  EXPECT_LT((head * head.transpose() - expected * expected.transpose()).norm(), 100 * tolerance);
  EXPECT_LT((dense * head * head.transpose() - dense * expected * expected.transpose()).norm(),
            10 * tolerance * largest);
  EXPECT_NEAR(svd.explained,
              reference.singularValues().head(rank).squaredNorm() / reference.singularValues().squaredNorm(),
              1e-4);
}

TEST(TruncatedSvd, SmallMatricesOfEitherShape) {
  expect_matches_dense(random_dense(40, 25, 0.5, 1), 10, 10, 2e-6);
  expect_matches_dense(random_dense(25, 40, 0.5, 2), 10, 10, 2e-6);
  expect_matches_dense(random_dense(30, 30, 0.1, 3), 5, 5, 2e-6);
}

TEST(TruncatedSvd, LargerThanOneBlockOfRows) {
  const MatrixXd factors = random_dense(2500, 60, 0.3, 4) * random_dense(60, 300, 0.3, 5);
  expect_matches_dense(factors.cast<float>().cast<double>(), 30, 30, 1e-5, 12);
}

TEST(TruncatedSvd, RankDeficientIsPaddedWithZeros) {
  const MatrixXd low = random_dense(60, 4, 1, 6) * random_dense(4, 45, 1, 7);
  expect_matches_dense(low.cast<float>().cast<double>(), 12, 4, 2e-6);
}

TEST(TruncatedSvd, DimensionAboveBothSides) {
  expect_matches_dense(random_dense(5, 9, 1, 8), 16, 5, 2e-6);
  expect_matches_dense(random_dense(9, 3, 1, 9), 16, 3, 2e-6);
}

TEST(TruncatedSvd, WideRangeOfSingularValues) {
  MatrixXd u = random_dense(50, 20, 1, 10).householderQr().householderQ() * MatrixXd::Identity(50, 20);
  MatrixXd v = random_dense(40, 20, 1, 11).householderQr().householderQ() * MatrixXd::Identity(40, 20);
  Eigen::VectorXd s(20);
  for (Index i = 0; i < 20; ++i) s(i) = std::pow(10.0, -0.2 * static_cast<double>(i));
  const MatrixXd a = (u * s.asDiagonal() * v.transpose()).cast<float>().cast<double>();
  expect_matches_dense(a, 15, 15, 1e-6);
}

TEST(TruncatedSvd, OneRowOneEntryAndNothing) {
  const Svd row = truncated_svd(sparse((MatrixXd(1, 3) << 3, 0, -4).finished()), {.dimension = 2});
  EXPECT_EQ(row.rank, 1);
  EXPECT_FLOAT_EQ(row.singular_values[0], 5);
  EXPECT_NEAR(row.v[0], -0.6, 1e-6);  // the larger entry, -4, is made positive
  EXPECT_NEAR(row.v[4], 0.8, 1e-6);
  const Svd zero = truncated_svd(sparse(MatrixXd::Zero(4, 3)), {.dimension = 2});
  EXPECT_EQ(zero.rank, 0);
  EXPECT_EQ(zero.v, std::vector<float>(6, 0));
  EXPECT_EQ(truncated_svd(SparseMatrix{}, {.dimension = 3}).singular_values, std::vector<float>(3, 0));
}

TEST(TruncatedSvd, LargestEntryIsPositive) {
  const Svd svd = truncated_svd(sparse(random_dense(50, 40, 0.3, 12)), {.dimension = 8});
  const MatrixXd v = vectors(svd, 40);
  for (Index c = 0; c < 8; ++c) {
    Index at = 0;
    v.col(c).cwiseAbs().maxCoeff(&at);
    EXPECT_GT(v(at, c), 0);
  }
}

TEST(TruncatedSvd, SameBytesForAnyNumberOfThreadsAndSeedMatters) {
  const SparseMatrix a = sparse(random_dense(3000, 1500, 0.01, 13));
  const int threads = num_threads();
  std::vector<Svd> results;
  for (const int count : {1, 2, 4}) {
    set_num_threads(count);
    results.push_back(truncated_svd(a, {.dimension = 24, .iterations = 2}));
  }
  set_num_threads(threads);
  for (const Svd& other : results) {
    EXPECT_EQ(other.v, results[0].v);
    EXPECT_EQ(other.singular_values, results[0].singular_values);
  }
  EXPECT_NE(truncated_svd(a, {.dimension = 24, .iterations = 2, .seed = 2}).v, results[0].v);
}

TEST(TruncatedSvd, RejectsDimensionBelowOneAndStopsWhenAsked) {
  const SparseMatrix a = sparse(random_dense(20, 20, 1, 14));
  EXPECT_THROW(truncated_svd(a, {.dimension = 0}), Error);
  std::stop_source source;
  source.request_stop();
  Context context;
  context.stop = source.get_token();
  try {
    truncated_svd(a, {.dimension = 2}, context);
    FAIL() << "went on";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInterrupted);
  }
}

}  // namespace
}  // namespace hyperllm::text
