#include "hyperllm/baselines/ease.h"

#include <cblas.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "hyperllm/base/error.h"
#include "hyperllm/base/memory.h"
#include "hyperllm/base/parallel.h"
#include "hyperllm/baselines/cholesky.h"
#include "hyperllm/baselines/ease_gram.h"
#include "hyperllm/baselines/waves.h"

namespace hyperllm::baselines {
namespace {

constexpr double kGib = 1024.0 * 1024.0 * 1024.0;

blasint to_blas(std::int64_t value) { return static_cast<blasint>(value); }

std::int64_t blocks_of(std::int64_t n) { return (n + kBlock - 1) / kBlock; }

// Calls body(block) for every block.
void for_blocks(std::int64_t blocks, const char* task, const Context& context,
                const std::function<void(std::int64_t)>& body) {
  Progress progress(context, task, blocks);
  in_waves(blocks, 1, progress, context, "EASE", [&](std::int64_t block, std::int64_t) { body(block); });
}

// B's column j is -P_ij / P_jj off the diagonal; `tile` holds P for rows i and columns j, both ways round.
void write_weights(std::span<const double> tile, std::int64_t row, std::int64_t rows, std::int64_t col,
                   std::int64_t cols, std::span<const double> diagonal, artifact::Matrix& weights) {
  const std::int64_t n = weights.cols;
  for (std::int64_t r = 0; r < rows; ++r)
    for (std::int64_t c = 0; c < cols; ++c) {
      const std::int64_t i = row + r, j = col + c;
      const double p = i == j ? 0.0 : -tile[r * cols + c];
      weights.values[i * n + j] = static_cast<float>(p / diagonal[j]);
      weights.values[j * n + i] = static_cast<float>(p / diagonal[i]);
    }
}

artifact::Matrix empty_weights(std::int64_t items) {
  return {items, items, std::vector<float>(static_cast<std::size_t>(items * items))};
}

// P = L^-T L^-1 from the items' Gram matrix. The rows of L^-T go where the Gram matrix no longer lives: the
// upper triangle, but for their diagonal blocks, which L still needs.
class ByItems {
 public:
  ByItems(std::vector<double> gram, std::int64_t items, const Context& context)
      : n_(items), a_(std::move(gram)) {
    cholesky(a_, n_, context);
    invert(context);
  }

  artifact::Matrix weights(const Context& context) {
    artifact::Matrix result = empty_weights(n_);
    for_blocks(blocks_of(n_), "EASE: weights", context, [&](std::int64_t i) {
      std::vector<double> tile(kBlock * kBlock);
      for (std::int64_t j = i; j < blocks_of(n_); ++j) {
        product(i, j, tile);
        write_weights(tile, i * kBlock, size_of(i), j * kBlock, size_of(j), p_diagonal_, result);
      }
    });
    return result;
  }

 private:
  std::int64_t size_of(std::int64_t block) const { return std::min(kBlock, n_ - block * kBlock); }
  double* at(std::int64_t row, std::int64_t col) { return a_.data() + row * n_ + col; }
  double* diagonal_block(std::int64_t block) { return diagonals_.data() + block * kBlock * kBlock; }

  // Solves Y_j L^T = I for one block of rows of Y = L^-T, right of the diagonal only.
  void invert(const Context& context) {
    diagonals_.assign(static_cast<std::size_t>(blocks_of(n_) * kBlock * kBlock), 0.0);
    p_diagonal_.assign(static_cast<std::size_t>(n_), 0.0);
    for_blocks(blocks_of(n_), "EASE: invert", context, [&](std::int64_t j) {
      const std::int64_t first = j * kBlock, rows = size_of(j), width = n_ - first;
      std::vector<double> y(static_cast<std::size_t>(rows * width), 0.0);
      for (std::int64_t r = 0; r < rows; ++r) y[r * width + r] = 1.0;
      cblas_dtrsm(CblasRowMajor, CblasRight, CblasLower, CblasTrans, CblasNonUnit, to_blas(rows),
                  to_blas(width), 1.0, at(first, first), to_blas(n_), y.data(), to_blas(width));
      for (std::int64_t r = 0; r < rows; ++r) {
        const double* row = y.data() + r * width;
        p_diagonal_[first + r] = cblas_ddot(to_blas(width), row, 1, row, 1);
        std::copy(row, row + rows, diagonal_block(j) + r * kBlock);
        std::copy(row + rows, row + width, at(first + r, first + rows));
      }
    });
  }

  // tile = rows i of Y times rows j of Y, i <= j: both start at block j.
  void product(std::int64_t i, std::int64_t j, std::span<double> tile) {
    const std::int64_t rows = size_of(i), cols = size_of(j), first = j * kBlock, rest = first + cols;
    const double* left = i == j ? diagonal_block(j) : at(i * kBlock, first);
    const std::int64_t stride = i == j ? kBlock : n_;
    cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, to_blas(rows), to_blas(cols), to_blas(cols), 1.0,
                left, to_blas(stride), diagonal_block(j), to_blas(kBlock), 0.0, tile.data(), to_blas(cols));
    if (rest < n_)
      cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, to_blas(rows), to_blas(cols), to_blas(n_ - rest),
                  1.0, at(i * kBlock, rest), to_blas(n_), at(first, rest), to_blas(n_), 1.0, tile.data(),
                  to_blas(cols));
  }

  std::int64_t n_;
  std::vector<double> a_, diagonals_, p_diagonal_;
};

// P = (I - Y Y^T) / lambda with Y = X^T L^-T, L from the users' Gram matrix. The factor 1 / lambda cancels in
// B.
artifact::Matrix weights_by_users(const data::Csr& train, double lambda, const Context& context) {
  const std::int64_t users = train.rows, items = train.cols;
  const data::Csr columns = train.transposed();
  std::vector<double> l = gram(train, columns, lambda);
  cholesky(l, users, context);
  std::vector<double> y(static_cast<std::size_t>(items * users), 0.0);
  std::vector<double> diagonal(static_cast<std::size_t>(items));
  const auto size_of = [&](std::int64_t block) { return std::min(kBlock, items - block * kBlock); };
  for_blocks(blocks_of(items), "EASE: solve", context, [&](std::int64_t block) {
    const std::int64_t first = block * kBlock, rows = size_of(block);
    for (std::int64_t i = first; i < first + rows; ++i)
      for (const std::int32_t user : columns.row(i)) y[i * users + user] = 1.0;
    cblas_dtrsm(CblasRowMajor, CblasRight, CblasLower, CblasTrans, CblasNonUnit, to_blas(rows),
                to_blas(users), 1.0, l.data(), to_blas(users), y.data() + first * users, to_blas(users));
    for (std::int64_t i = first; i < first + rows; ++i)
      diagonal[i] = 1.0 - cblas_ddot(to_blas(users), &y[i * users], 1, &y[i * users], 1);
  });
  artifact::Matrix result = empty_weights(items);
  for_blocks(blocks_of(items), "EASE: weights", context, [&](std::int64_t i) {
    std::vector<double> tile(kBlock * kBlock);
    for (std::int64_t j = i; j < blocks_of(items); ++j) {
      cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, to_blas(size_of(i)), to_blas(size_of(j)),
                  to_blas(users), -1.0, y.data() + i * kBlock * users, to_blas(users),
                  y.data() + j * kBlock * users, to_blas(users), 0.0, tile.data(), to_blas(size_of(j)));
      write_weights(tile, i * kBlock, size_of(i), j * kBlock, size_of(j), diagonal, result);
    }
  });
  return result;
}

std::string gib_text(double bytes) {
  char text[32];
  std::snprintf(text, sizeof text, "%.2f GiB", bytes / kGib);
  return text;
}

void report_plan(const EasePlan& plan, std::int64_t users, std::int64_t items, const Context& context) {
  char work[32];
  std::snprintf(work, sizeof work, "%.3g", plan.flops / 1e9);
  context.info("EASE: " + std::to_string(items) + " items, " + std::to_string(users) + " users; memory " +
               gib_text(plan.bytes) + ", " + work + " GFLOP, by the Gram matrix of the " +
               (plan.by_users ? "users" : "items"));
}

void check_memory(const EasePlan& plan, std::int64_t items, const EaseOptions& options) {
  const double limit =
      options.memory_gib > 0 ? options.memory_gib * kGib : static_cast<double>(available_memory());
  const auto fits = static_cast<std::int64_t>(static_cast<double>(items) * std::sqrt(limit / plan.bytes));
  HYPERLLM_CHECK(
      limit < 0 || plan.bytes <= limit, ErrorCode::kInvalidArgument,
      "EASE needs " + gib_text(plan.bytes) + " of memory for this catalogue, " + gib_text(limit) +
          (options.memory_gib > 0 ? " are allowed (memory_gib)" : " are free") +
          "; that is enough for about " + std::to_string(fits) +
          " items: solve each item on its nearest alone (ease_neighbours 200), keep fewer items (a higher "
          "item_core in prepare), or use a larger machine");
}

}  // namespace

EasePlan plan_ease(std::int64_t users, std::int64_t items, const EaseOptions& options, const EaseSide& side) {
  const auto u = static_cast<double>(users), n = static_cast<double>(items);
  const bool plain = options.dropout == 0 && options.tag_weight == 0 && options.embedding_weight == 0;
  const double columns =
      options.embedding_weight > 0 ? static_cast<double>(side.embeddings->values.size()) / n : 0;
  const double by_items = n * n * (n + columns), by_users = u * u * u / 3 + u * u * n + n * n * u;
  EasePlan plan;
  plan.by_users = plain && by_users < by_items;
  plan.flops = plan.by_users ? by_users : by_items;
  plan.bytes = 4 * n * n + 8 * (plan.by_users ? u * u + u * n : n * n + kBlock * n);
  return plan;
}

artifact::Matrix ease(const data::Csr& train, const EaseOptions& options, const Context& context,
                      const EaseSide& side) {
  check_ease(train, options, side);
  const EasePlan plan = plan_ease(train.rows, train.cols, options, side);
  report_plan(plan, train.rows, train.cols, context);
  check_memory(plan, train.cols, options);
  if (plan.by_users) return weights_by_users(train, options.lambda, context);
  return ByItems(item_gram(train, options, side, context), train.cols, context).weights(context);
}

}  // namespace hyperllm::baselines
