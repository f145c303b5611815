#include <Eigen/Cholesky>
#include <algorithm>
#include <cmath>
#include <string>

#include "hyperllm/base/error.h"
#include "hyperllm/base/files.h"
#include "hyperllm/base/memory.h"
#include "hyperllm/base/parallel.h"
#include "hyperllm/baselines/ease.h"
#include "hyperllm/baselines/ease_gram.h"
#include "hyperllm/baselines/item_lists.h"
#include "hyperllm/baselines/waves.h"

namespace hyperllm::baselines {
namespace {

// Items that one thread takes at a time, and blocks between two looks at the user's wish to stop.
constexpr std::int64_t kItemsPerBlock = 16;

using Row = std::vector<double>;
using RowMajor = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

// One column of B after another; what a thread needs for it is its own Desk.
class Columns {
 public:
  struct Desk {
    Row products, tags;               // G_j., and the weights of one item's tags
    std::vector<std::int32_t> place;  // of the items in the neighbourhood; -1: outside
  };

  Columns(const data::Csr& train, const EaseOptions& options, const EaseSide& side)
      : train_(train),
        item_users_(train.transposed()),
        neighbours_(std::min(options.neighbours, train.cols - 1)),
        penalties_(penalties(item_users_, options)) {
    if (options.tag_weight > 0) {
      item_tags_ = *side.item_tags;
      tag_items_ = item_tags_.transposed();
      tag_weights_ = tag_weights(tag_items_, options.tag_weight);
    }
    if (options.embedding_weight > 0) {
      const Row rows = unit_rows(*side.embeddings);
      embeddings_ = std::sqrt(options.embedding_weight) *
                    Eigen::Map<const RowMajor>(rows.data(), train.cols, side.embeddings->cols);
    }
    for (std::int64_t i = 0; i < train.cols; ++i) pivots_.push_back(penalties_[i] + square(i));
  }

  Desk desk() const {
    return {Row(pivots_.size()), Row(tag_weights_.size(), 0.0),
            std::vector<std::int32_t>(pivots_.size(), -1)};
  }

  std::vector<Neighbour> solve(std::int64_t item, Desk& desk) const {
    multiply(item, desk.products);
    const std::vector<std::int32_t> near = neighbourhood(item, desk.products);
    RowMajor system = gram(near, desk);
    Eigen::VectorXd known(std::ssize(near));
    for (std::int64_t a = 0; a < std::ssize(near); ++a) {
      system(a, a) += penalties_[near[a]];
      known(a) = desk.products[near[a]];
    }
    const Eigen::LLT<Eigen::Ref<RowMajor>, Eigen::Lower> factor(system);
    factor.solveInPlace(known);
    std::vector<Neighbour> column;
    for (std::int64_t a = 0; a < std::ssize(near); ++a) column.push_back({known(a), near[a]});
    return column;
  }

 private:
  bool has_tags() const { return !tag_weights_.empty(); }

  double square(std::int64_t item) const {
    auto sum = static_cast<double>(item_users_.row(item).size());
    if (has_tags())
      for (const std::int32_t tag : item_tags_.row(item)) sum += tag_weights_[tag];
    if (embeddings_.size() > 0) sum += embeddings_.row(item).squaredNorm();
    return sum;
  }

  void multiply(std::int64_t item, Row& products) const {
    std::fill(products.begin(), products.end(), 0.0);
    for (const std::int32_t user : item_users_.row(item))
      for (const std::int32_t other : train_.row(user)) products[other] += 1;
    if (has_tags())
      for (const std::int32_t tag : item_tags_.row(item))
        for (const std::int32_t other : tag_items_.row(tag)) products[other] += tag_weights_[tag];
    if (embeddings_.size() > 0)
      Eigen::Map<Eigen::VectorXd>(products.data(), std::ssize(products)) +=
          embeddings_ * embeddings_.row(item).transpose();
  }

  // Ascending ids.
  std::vector<std::int32_t> neighbourhood(std::int64_t item, const Row& products) const {
    std::vector<Neighbour> all;
    for (std::int32_t other = 0; other < std::ssize(products); ++other)
      if (other != item && products[other] != 0)
        all.push_back({products[other] * products[other] / pivots_[other], other});
    if (const std::int64_t kept = std::min(neighbours_, std::ssize(all)); kept < std::ssize(all)) {
      std::nth_element(all.begin(), all.begin() + kept, all.end(), nearer);
      all.resize(static_cast<std::size_t>(kept));
    }
    std::vector<std::int32_t> near;
    for (const Neighbour& one : all) near.push_back(one.item);
    std::sort(near.begin(), near.end());
    return near;
  }

  // The lower triangle of G's rows and columns `near`.
  RowMajor gram(const std::vector<std::int32_t>& near, Desk& desk) const {
    const std::int64_t n = std::ssize(near);
    RowMajor result = RowMajor::Zero(n, n);
    for (std::int64_t a = 0; a < n; ++a) desk.place[near[a]] = static_cast<std::int32_t>(a);
    for (std::int64_t a = 0; a < n; ++a)
      for (const std::int32_t user : item_users_.row(near[a]))
        for (const std::int32_t other : train_.row(user)) {
          if (other > near[a]) break;
          if (const std::int32_t b = desk.place[other]; b >= 0) result(a, b) += 1;
        }
    for (const std::int32_t item : near) desk.place[item] = -1;
    if (has_tags()) add_tags(near, desk.tags, result);
    if (embeddings_.size() > 0) {
      RowMajor rows(n, embeddings_.cols());
      for (std::int64_t a = 0; a < n; ++a) rows.row(a) = embeddings_.row(near[a]);
      result.selfadjointView<Eigen::Lower>().rankUpdate(rows);
    }
    return result;
  }

  void add_tags(const std::vector<std::int32_t>& near, Row& of_item, RowMajor& result) const {
    for (std::int64_t a = 0; a < std::ssize(near); ++a) {
      for (const std::int32_t tag : item_tags_.row(near[a])) of_item[tag] = tag_weights_[tag];
      for (std::int64_t b = 0; b <= a; ++b)
        for (const std::int32_t tag : item_tags_.row(near[b])) result(a, b) += of_item[tag];
      for (const std::int32_t tag : item_tags_.row(near[a])) of_item[tag] = 0;
    }
  }

  const data::Csr& train_;
  const data::Csr item_users_;
  const std::int64_t neighbours_;
  const Row penalties_;
  data::Csr item_tags_, tag_items_;
  Row tag_weights_, pivots_;  // pivots: G_ii + D_ii
  RowMajor embeddings_;       // sqrt(v) V
};

void check_memory(const data::Csr& train, const EaseOptions& options, const EaseSide& side) {
  const auto items = static_cast<double>(train.cols),
             near = static_cast<double>(std::min(options.neighbours, train.cols));
  const double rows =
      options.embedding_weight > 0 ? 16 * static_cast<double>(side.embeddings->values.size()) : 0;
  // The columns, the rows made of them, and those as the file's matrix; a thread's desk and system.
  const double bytes = rows + items * near * (sizeof(Neighbour) + 8 + 12) +
                       num_threads() * (items * (8 + 4 + sizeof(Neighbour)) + 8 * near * near);
  const double limit =
      options.memory_gib > 0 ? options.memory_gib * 1024 * kMiB : static_cast<double>(available_memory());
  HYPERLLM_CHECK(limit < 0 || bytes <= limit, ErrorCode::kInvalidArgument,
                 "EASE on neighbourhoods needs " + std::to_string(static_cast<std::int64_t>(bytes / 1e6)) +
                     " MB of memory, " + std::to_string(static_cast<std::int64_t>(limit / 1e6)) +
                     " may be used; take fewer neighbours");
}

}  // namespace

retrieval::SparseWeights sparse_ease(const data::Csr& train, const EaseOptions& options,
                                     const Context& context, const EaseSide& side) {
  check_ease(train, options, side);
  HYPERLLM_CHECK(options.neighbours >= 1, ErrorCode::kInvalidArgument,
                 "option 'neighbours': expected 1 or more, got " + std::to_string(options.neighbours));
  check_memory(train, options, side);
  const Columns columns(train, options, side);
  std::vector<std::vector<Neighbour>> solved(static_cast<std::size_t>(train.cols));
  Progress progress(context, "EASE: neighbourhoods", train.cols);
  in_waves(train.cols, kItemsPerBlock, progress, context, "EASE", [&](std::int64_t begin, std::int64_t end) {
    Columns::Desk desk = columns.desk();
    for (std::int64_t item = begin; item < end; ++item) solved[item] = columns.solve(item, desk);
  });
  return by_rows(solved);
}

}  // namespace hyperllm::baselines
