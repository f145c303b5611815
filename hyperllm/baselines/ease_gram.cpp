#include "hyperllm/baselines/ease_gram.h"

#include <cblas.h>

#include <cmath>
#include <string>

#include "hyperllm/base/error.h"
#include "hyperllm/base/parallel.h"
#include "hyperllm/baselines/cholesky.h"
#include "hyperllm/baselines/waves.h"
#include "hyperllm/kernels/blas.h"

namespace hyperllm::baselines {
namespace {

blasint to_blas(std::int64_t value) { return static_cast<blasint>(value); }

// Adds the lower triangle of rows * diag(weights) * rows^T; `columns` is rows transposed. One thread sums an
// entry, in the order of the columns.
template <typename Weight>
void add_products(const data::Csr& rows, const data::Csr& columns, const Weight& weight,
                  std::vector<double>& a) {
  const std::int64_t n = rows.rows;
  parallel_ranges(n, kBlock, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i)
      for (const std::int32_t through : rows.row(i)) {
        const double value = weight(through);
        for (const std::int32_t j : columns.row(through)) {
          if (j > i) break;
          a[i * n + j] += value;
        }
      }
  });
}

void add_tags(const data::Csr& item_tags, double weight, std::vector<double>& a) {
  const data::Csr tag_items = item_tags.transposed();
  const std::vector<double> weights = tag_weights(tag_items, weight);
  add_products(
      item_tags, tag_items, [&](std::int32_t tag) { return weights[tag]; }, a);
}

void add_embeddings(const artifact::Matrix& embeddings, double weight, std::vector<double>& a,
                    const Context& context) {
  const std::int64_t n = embeddings.rows, cols = embeddings.cols;
  const std::vector<double> v = unit_rows(embeddings);
  kernels::use_single_threaded_blas();
  check_stop(context, "EASE");
  parallel_ranges(n, kBlock, [&](std::int64_t begin, std::int64_t end) {
    cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, to_blas(end - begin), to_blas(end), to_blas(cols),
                weight, v.data() + begin * cols, to_blas(cols), v.data(), to_blas(cols), 1.0,
                a.data() + begin * n, to_blas(n));
  });
}

void check_range(const char* option, double value, double least, bool holds, const char* expected) {
  HYPERLLM_CHECK(
      std::isfinite(value) && value >= least && holds, ErrorCode::kInvalidArgument,
      std::string("option '") + option + "': expected " + expected + ", got " + std::to_string(value));
}

void check_rows(bool wanted, bool there, std::int64_t rows, std::int64_t items, const char* what) {
  HYPERLLM_CHECK(!wanted || (there && rows == items), ErrorCode::kInvalidArgument,
                 std::string("EASE: a weight for ") + what + " needs them, a row for each of the " +
                     std::to_string(items) + " items");
}

}  // namespace

void check_ease(const data::Csr& train, const EaseOptions& options, const EaseSide& side) {
  check_range("lambda", options.lambda, 0, options.lambda > 0, "a number above 0");
  check_range("dropout", options.dropout, 0, options.dropout < 1, "a number from 0 to below 1");
  check_range("tag_weight", options.tag_weight, 0, true, "0 or more");
  check_range("embedding_weight", options.embedding_weight, 0, true, "0 or more");
  check_rows(options.tag_weight > 0, side.item_tags, side.item_tags ? side.item_tags->rows : 0, train.cols,
             "tags");
  check_rows(options.embedding_weight > 0, side.embeddings, side.embeddings ? side.embeddings->rows : 0,
             train.cols, "embeddings");
  HYPERLLM_CHECK(train.nnz() > 0, ErrorCode::kInvalidArgument,
                 "EASE needs training interactions, there are none");
}

std::vector<double> penalties(const data::Csr& item_users, const EaseOptions& options) {
  std::vector<double> result(static_cast<std::size_t>(item_users.rows));
  for (std::int64_t i = 0; i < item_users.rows; ++i)
    result[i] = options.lambda +
                options.dropout / (1 - options.dropout) * static_cast<double>(item_users.row(i).size());
  return result;
}

std::vector<double> tag_weights(const data::Csr& tag_items, double weight) {
  const auto all = static_cast<double>(tag_items.cols);
  std::vector<double> weights(static_cast<std::size_t>(tag_items.rows));
  for (std::int64_t tag = 0; tag < tag_items.rows; ++tag) {
    const auto items = static_cast<double>(tag_items.row(tag).size());
    const double idf = items > 0 && all > 1 ? std::log(all / items) / std::log(all) : 0;
    weights[tag] = weight * idf * idf;
  }
  return weights;
}

// What is left of a row that equals the mean is rounding and becomes 0.
std::vector<double> unit_rows(const artifact::Matrix& embeddings) {
  constexpr double kNothingLeft = 1e-6;
  const std::int64_t rows = embeddings.rows, cols = embeddings.cols;
  std::vector<double> result(embeddings.values.begin(), embeddings.values.end());
  std::vector<double> mean(static_cast<std::size_t>(cols), 0.0);
  for (std::int64_t r = 0; r < rows; ++r)
    for (std::int64_t c = 0; c < cols; ++c) mean[c] += result[r * cols + c] / static_cast<double>(rows);
  for (std::int64_t r = 0; r < rows; ++r) {
    double before = 0, after = 0;
    for (std::int64_t c = 0; c < cols; ++c) {
      double& value = result[r * cols + c];
      before += value * value;
      value -= mean[c];
      after += value * value;
    }
    const double scale = after > kNothingLeft * kNothingLeft * before ? 1 / std::sqrt(after) : 0;
    for (std::int64_t c = 0; c < cols; ++c) result[r * cols + c] *= scale;
  }
  return result;
}

std::vector<double> gram(const data::Csr& rows, const data::Csr& columns, double lambda) {
  const std::int64_t n = rows.rows;
  std::vector<double> a(static_cast<std::size_t>(n * n), 0.0);
  add_products(
      rows, columns, [](std::int32_t) { return 1.0; }, a);
  for (std::int64_t i = 0; i < n; ++i) a[i * n + i] += lambda;
  return a;
}

std::vector<double> item_gram(const data::Csr& train, const EaseOptions& options, const EaseSide& side,
                              const Context& context) {
  const data::Csr item_users = train.transposed();
  std::vector<double> a = gram(item_users, train, 0);
  const std::vector<double> added = penalties(item_users, options);
  for (std::int64_t i = 0; i < train.cols; ++i) a[i * train.cols + i] += added[i];
  if (options.tag_weight > 0) add_tags(*side.item_tags, options.tag_weight, a);
  if (options.embedding_weight > 0) add_embeddings(*side.embeddings, options.embedding_weight, a, context);
  return a;
}

}  // namespace hyperllm::baselines
