#include "hyperllm/baselines/ials.h"

#include <cblas.h>

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>
#include <string>

#include "hyperllm/base/error.h"
#include "hyperllm/base/memory.h"
#include "hyperllm/base/parallel.h"
#include "hyperllm/base/random.h"
#include "hyperllm/baselines/waves.h"
#include "hyperllm/kernels/blas.h"

namespace hyperllm::baselines {
namespace {

using Rows = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using Eigen::MatrixXd;
using Eigen::VectorXd;

// Rows that one thread takes at a time, and such blocks between two looks at the user's wish to stop.
constexpr std::int64_t kBlock = 64;

blasint to_blas(std::int64_t value) { return static_cast<blasint>(value); }

// x^T x, in blocks of its rows.
Rows gram(std::span<const double> x, std::int64_t dim) {
  const std::int64_t rows = std::ssize(x) / dim;
  Rows product(dim, dim);
  parallel_ranges(dim, kBlock, [&](std::int64_t begin, std::int64_t end) {
    cblas_dgemm(CblasRowMajor, CblasTrans, CblasNoTrans, to_blas(end - begin), to_blas(dim), to_blas(rows),
                1.0, x.data() + begin, to_blas(dim), x.data(), to_blas(dim), 0.0,
                product.data() + begin * dim, to_blas(dim));
  });
  return product;
}

// rows x dim times dim x dim, or its transpose.
void multiply(const double* rows, std::int64_t count, const Rows& matrix, CBLAS_TRANSPOSE transposed,
              double* out) {
  const blasint dim = to_blas(matrix.cols());
  cblas_dgemm(CblasRowMajor, CblasNoTrans, transposed, to_blas(count), dim, dim, 1.0, rows, dim,
              matrix.data(), dim, 0.0, out, dim);
}

// In the basis of the Gram matrix's eigenvectors the part of a row's system that all rows share is diagonal:
// (H^T H + D) w = H^T 1 with the row's observed embeddings H (n x dim). Where n < dim, the same w is
// D^-1 H^T (I + H D^-1 H^T)^-1 1, a system of n.
VectorXd solve(const MatrixXd& h, const VectorXd& diagonal) {
  if (h.rows() < h.cols()) {
    const MatrixXd scaled = h * diagonal.cwiseInverse().asDiagonal();
    MatrixXd system = MatrixXd::Identity(h.rows(), h.rows());
    system.noalias() += scaled * h.transpose();
    return scaled.transpose() * system.llt().solve(VectorXd::Ones(h.rows()));
  }
  MatrixXd system = diagonal.asDiagonal();
  system.noalias() += h.transpose() * h;
  return system.llt().solve(h.colwise().sum().transpose());
}

void check(const data::Csr& train, const IalsOptions& options) {
  const auto positive = [](double value) { return value > 0 && std::isfinite(value); };
  HYPERLLM_CHECK(options.dim >= 1 && options.iterations >= 1 && positive(options.alpha0) &&
                     positive(options.lambda) && options.nu >= 0 && std::isfinite(options.nu),
                 ErrorCode::kInvalidArgument,
                 "iALS: expected dim >= 1, iterations >= 1, alpha0 > 0, lambda > 0 and nu >= 0");
  HYPERLLM_CHECK(train.nnz() > 0, ErrorCode::kInvalidArgument,
                 "iALS needs training interactions, there are none");
  // Both tables, the larger one twice more, and the eigenvectors' few matrices.
  const auto dim = static_cast<double>(options.dim), users = static_cast<double>(train.rows),
             items = static_cast<double>(train.cols);
  const double bytes = 8 * dim * (users + items + 2 * std::max(users, items) + 4 * dim);
  const std::int64_t free = available_memory();
  HYPERLLM_CHECK(free < 0 || bytes <= static_cast<double>(free), ErrorCode::kInvalidArgument,
                 "iALS needs " + std::to_string(static_cast<std::int64_t>(bytes / 1e6)) + " MB of memory, " +
                     std::to_string(free / 1'000'000) + " are free; use fewer dimensions");
}

std::vector<double> start(std::int64_t rows, std::int64_t dim, Random random) {
  const double scale = 0.1 / std::sqrt(static_cast<double>(dim));
  std::vector<double> values(static_cast<std::size_t>(rows * dim));
  for (double& value : values) value = scale * random.normal();
  return values;
}

artifact::Matrix rounded(const std::vector<double>& values, std::int64_t dim) {
  artifact::Matrix matrix{std::ssize(values) / dim, dim, {values.begin(), values.end()}};
  HYPERLLM_CHECK(std::all_of(matrix.values.begin(), matrix.values.end(),
                             [](float value) { return std::isfinite(value); }),
                 ErrorCode::kNonFinite,
                 "iALS: the embeddings have become too large; use a larger lambda or alpha0");
  return matrix;
}

}  // namespace

std::vector<double> ials_half_step(const data::Csr& observed, std::span<const double> fixed,
                                   const IalsOptions& options, const Context& context, Progress& progress) {
  kernels::use_single_threaded_blas();
  const std::int64_t dim = options.dim;
  const Eigen::SelfAdjointEigenSolver<Rows> shared(gram(fixed, dim));
  HYPERLLM_CHECK(shared.info() == Eigen::Success, ErrorCode::kNonFinite,
                 "iALS: the embeddings have become too large; use a larger lambda or alpha0");
  const Rows& basis = shared.eigenvectors();
  const VectorXd values = options.alpha0 * shared.eigenvalues().cwiseMax(0);
  Rows rotated(observed.cols, dim);
  parallel_ranges(observed.cols, kBlock, [&](std::int64_t begin, std::int64_t end) {
    multiply(fixed.data() + begin * dim, end - begin, basis, CblasNoTrans, rotated.row(begin).data());
  });
  std::vector<double> solved(static_cast<std::size_t>(observed.rows * dim));
  const auto solve_rows = [&](std::int64_t begin, std::int64_t end) {
    Rows block(end - begin, dim);
    for (std::int64_t r = begin; r < end; ++r) {
      const auto seen = observed.row(r);
      MatrixXd of_row(seen.size(), dim);
      for (std::size_t i = 0; i < seen.size(); ++i)
        of_row.row(static_cast<Eigen::Index>(i)) = rotated.row(seen[i]);
      const double frequency =
          static_cast<double>(seen.size()) + options.alpha0 * static_cast<double>(observed.cols);
      const VectorXd diagonal = values.array() + options.lambda * std::pow(frequency, options.nu);
      block.row(r - begin) = solve(of_row, diagonal).transpose();
    }
    multiply(block.data(), end - begin, basis, CblasTrans, solved.data() + begin * dim);
  };
  in_waves(observed.rows, kBlock, progress, context, "iALS", solve_rows);
  return solved;
}

IalsModel ials(const data::Csr& train, const IalsOptions& options, std::uint64_t seed,
               const Context& context) {
  check(train, options);
  const data::Csr of_items = train.transposed();
  std::vector<double> items = start(train.cols, options.dim, Random(seed, "iALS items")), users;
  Progress progress(context, "iALS", options.iterations * (train.rows + train.cols));
  for (std::int64_t iteration = 0; iteration < options.iterations; ++iteration) {
    users = ials_half_step(train, items, options, context, progress);
    items = ials_half_step(of_items, users, options, context, progress);
  }
  return {rounded(users, options.dim), rounded(items, options.dim)};
}

}  // namespace hyperllm::baselines
