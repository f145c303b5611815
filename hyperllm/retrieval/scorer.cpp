#include "hyperllm/retrieval/scorer.h"

#include <cblas.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "hyperllm/base/error.h"
#include "hyperllm/base/parallel.h"
#include "hyperllm/kernels/ball_scores.h"
#include "hyperllm/kernels/blas.h"

namespace hyperllm::retrieval {
namespace {

using Floats = std::span<const float>;

Floats row_of(Floats matrix, std::int64_t row, std::int64_t cols) {
  return matrix.subspan(static_cast<std::size_t>(row * cols), static_cast<std::size_t>(cols));
}

double squared_norm(Floats row) {
  double sum = 0;
  for (const float value : row) sum += static_cast<double>(value) * value;
  return sum;
}

// Lorentz comes here too, with time as one more column.
class InnerProductScorer final : public Scorer {
 public:
  InnerProductScorer(Floats users, Floats items, std::int64_t dim, std::vector<float> user_times = {},
                     std::vector<float> item_times = {})
      : user_times_(std::move(user_times)),
        item_times_(std::move(item_times)),
        products_{{users, dim, user_times_}, kernels::ItemPanels({items, dim, item_times_})} {}
  std::int64_t num_users() const override { return products_.users.count(); }
  std::int64_t num_items() const override { return products_.items.count(); }
  const InnerProducts* inner_products() const override { return &products_; }

  void score(std::span<const std::int32_t> users, std::span<float> out) const override {
    kernels::inner_products(products_.users, products_.items, users, out);
  }

 private:
  std::vector<float> user_times_, item_times_;
  InnerProducts products_;
};

// sign * sqrt(1/c + |x|^2) of each row.
std::vector<float> times(Floats space, std::int64_t dim, double curvature, double sign) {
  std::vector<float> result(space.size() / static_cast<std::size_t>(dim));
  parallel_ranges(std::ssize(result), 1024, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin; r < end; ++r)
      result[r] = static_cast<float>(sign * std::sqrt(1.0 / curvature + squared_norm(row_of(space, r, dim))));
  });
  return result;
}

class PoincareScorer final : public Scorer {
 public:
  PoincareScorer(Floats users, Floats items, std::int64_t dim, double curvature)
      : users_(users), num_items_(std::ssize(items) / dim), dim_(dim) {
    user_factors_ = factors(users, curvature, "user");
    for (float& factor : user_factors_) factor *= static_cast<float>(-2.0 * curvature);
    item_factors_ = factors(items, curvature, "item");
    packed_ = kernels::pack_ball_items(items, dim);
  }
  std::int64_t num_users() const override { return std::ssize(users_) / dim_; }
  std::int64_t num_items() const override { return num_items_; }

  void score(std::span<const std::int32_t> users, std::span<float> out) const override {
    kernels::ball_scores(users_.data(), dim_, users, user_factors_, packed_.data(), item_factors_,
                         out.data());
  }

 private:
  // 1 / (1 - c |x|^2) per row.
  std::vector<float> factors(Floats points, double curvature, const char* what) const {
    std::vector<float> result;
    for (std::int64_t r = 0; r < std::ssize(points) / dim_; ++r) {
      const double room = 1.0 - curvature * squared_norm(row_of(points, r, dim_));
      HYPERLLM_CHECK(!(room <= 0), ErrorCode::kInvalidArgument,
                     std::string(what) + " " + std::to_string(r) +
                         " lies outside the Poincare ball of curvature " + std::to_string(curvature) +
                         "; project the embeddings into the ball first");
      result.push_back(static_cast<float>(1.0 / room));
    }
    return result;
  }

  Floats users_;
  std::vector<float> packed_, user_factors_, item_factors_;
  std::int64_t num_items_, dim_;
};

class PopularityScorer final : public Scorer {
 public:
  PopularityScorer(std::vector<float> scores, std::int64_t num_users)
      : scores_(std::move(scores)), num_users_(num_users) {}
  std::int64_t num_users() const override { return num_users_; }
  std::int64_t num_items() const override { return std::ssize(scores_); }

  void score(std::span<const std::int32_t> users, std::span<float> out) const override {
    for (std::size_t b = 0; b < users.size(); ++b)
      std::copy(scores_.begin(), scores_.end(),
                out.begin() + static_cast<std::ptrdiff_t>(b * scores_.size()));
  }

 private:
  std::vector<float> scores_;
  std::int64_t num_users_;
};

class ItemItemScorer final : public Scorer {
 public:
  ItemItemScorer(std::vector<float> weights, data::Csr history)
      : weights_(std::move(weights)), history_(std::move(history)) {
    kernels::use_single_threaded_blas();
  }
  std::int64_t num_users() const override { return history_.rows; }
  std::int64_t num_items() const override { return history_.cols; }

  void score(std::span<const std::int32_t> users, std::span<float> out) const override {
    std::fill(out.begin(), out.end(), 0.0F);
    for (std::size_t b = 0; b < users.size(); ++b)
      for (const std::int32_t item : history_.row(users[b]))
        cblas_saxpy(static_cast<blasint>(num_items()), 1.0F, weights_.data() + item * num_items(), 1,
                    out.data() + static_cast<std::int64_t>(b) * num_items(), 1);
  }

 private:
  std::vector<float> weights_;
  data::Csr history_;
};

class SparseItemItemScorer final : public Scorer {
 public:
  SparseItemItemScorer(SparseWeights weights, data::Csr history)
      : weights_(std::move(weights)), history_(std::move(history)) {}
  std::int64_t num_users() const override { return history_.rows; }
  std::int64_t num_items() const override { return history_.cols; }

  void score(std::span<const std::int32_t> users, std::span<float> out) const override {
    std::fill(out.begin(), out.end(), 0.0F);
    for (std::size_t b = 0; b < users.size(); ++b) {
      float* scores = out.data() + static_cast<std::int64_t>(b) * num_items();
      for (const std::int32_t item : history_.row(users[b]))
        for (std::int64_t e = weights_.links.indptr[item]; e < weights_.links.indptr[item + 1]; ++e)
          scores[weights_.links.indices[e]] += weights_.values[e];
    }
  }

 private:
  SparseWeights weights_;
  data::Csr history_;
};

}  // namespace

std::unique_ptr<Scorer> make_embedding_scorer(const Space& space, Floats users, Floats items,
                                              std::int64_t dim) {
  HYPERLLM_CHECK(dim >= 1 && std::ssize(users) % dim == 0 && std::ssize(items) % dim == 0,
                 ErrorCode::kInvalidArgument,
                 "embeddings of " + std::to_string(users.size()) + " and " + std::to_string(items.size()) +
                     " numbers are not rows of " + std::to_string(dim));
  const double c = space.curvature.c;
  if (space.geometry == Geometry::kEuclidean) return std::make_unique<InnerProductScorer>(users, items, dim);
  if (space.geometry == Geometry::kPoincare) return std::make_unique<PoincareScorer>(users, items, dim, c);
  return std::make_unique<InnerProductScorer>(users, items, dim, times(users, dim, c, -1.0),
                                              times(items, dim, c, 1.0));
}

std::unique_ptr<Scorer> make_popularity_scorer(std::vector<float> item_scores, std::int64_t num_users) {
  return std::make_unique<PopularityScorer>(std::move(item_scores), num_users);
}

std::unique_ptr<Scorer> make_item_item_scorer(std::vector<float> weights, data::Csr history) {
  HYPERLLM_CHECK(std::ssize(weights) == history.cols * history.cols, ErrorCode::kInvalidArgument,
                 "item-item weights hold " + std::to_string(weights.size()) + " numbers, the history has " +
                     std::to_string(history.cols) + " items");
  return std::make_unique<ItemItemScorer>(std::move(weights), std::move(history));
}

std::unique_ptr<Scorer> make_sparse_item_item_scorer(SparseWeights weights, data::Csr history) {
  HYPERLLM_CHECK(weights.links.rows == history.cols && weights.links.cols == history.cols &&
                     std::ssize(weights.values) == weights.links.nnz(),
                 ErrorCode::kInvalidArgument,
                 "item-item weights of " + std::to_string(weights.links.rows) + " x " +
                     std::to_string(weights.links.cols) + " items, the history has " +
                     std::to_string(history.cols));
  return std::make_unique<SparseItemItemScorer>(std::move(weights), std::move(history));
}

}  // namespace hyperllm::retrieval
