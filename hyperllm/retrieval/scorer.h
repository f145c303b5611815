// Scores of all items for a batch of users, and the exact masked top-k over them: the one ranking path that
// validation, evaluation and serving share.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "hyperllm/data/csr.h"
#include "hyperllm/kernels/topk.h"
#include "hyperllm/manifold/space.h"

namespace hyperllm::retrieval {

using manifold::Geometry;
using manifold::Space;

// Users and items whose score is the inner product of their rows; the items packed for the fused kernel.
struct InnerProducts {
  kernels::EmbeddingRows users;
  kernels::ItemPanels items;
};

class Scorer {
 public:
  virtual ~Scorer() = default;
  virtual std::int64_t num_users() const = 0;
  virtual std::int64_t num_items() const = 0;
  // out[b * num_items + i] = score of item i for users[b]; higher is better. Only the order matters: Lorentz
  // gives <x,y>_L, Poincare minus the ratio inside its arcosh, both falling with the distance.
  virtual void score(std::span<const std::int32_t> users, std::span<float> out) const = 0;
  // For scores that are inner products, what top_k ranks by without a score ever being stored; else null.
  virtual const InnerProducts* inner_products() const { return nullptr; }
};

// Row-major users x dim and items x dim; the spans must outlive the scorer. Lorentz takes space coordinates
// (time rebuilt as sqrt(1/c + |x|^2)). Lorentz and Euclidean are inner products. The ball is not
// taken to the hyperboloid: near the rim its float32 products would confuse neighbours that differences keep
// apart.
std::unique_ptr<Scorer> make_embedding_scorer(const Space& space, std::span<const float> users,
                                              std::span<const float> items, std::int64_t dim);
// One score an item, the same for everybody.
std::unique_ptr<Scorer> make_popularity_scorer(std::vector<float> item_scores, std::int64_t num_users);
// Scores of user u = sum of rows weights[i] over their items in `history`; items x items, row-major, owned.
std::unique_ptr<Scorer> make_item_item_scorer(std::vector<float> weights, data::Csr history);

// Item-item weights of which few are not zero: links, items x items, says which, values[e] belongs to its
// entry e.
struct SparseWeights {
  data::Csr links;
  std::vector<float> values;
};
// As make_item_item_scorer, without the zeros.
std::unique_ptr<Scorer> make_sparse_item_item_scorer(SparseWeights weights, data::Csr history);

struct TopK {
  std::int64_t k = 0;
  std::vector<std::int32_t> items;  // users x k, best first; -1 where fewer than k items are left
  std::vector<float> scores;        // users x k
};

// What a ranking leaves to the next one of the same users: its lists, a head start. Never changes a result.
struct RankingState {
  std::vector<std::int32_t> lists;
};

// The k best items for each user, items of the user's row in any of `masks` left out; ties go to the smaller
// id. Inner products run in kernels/topk.h, others in tiles of users: memory is never users x items. Same
// result for any number of threads, and with or without `state`, which the others ignore. Throws kNonFinite
// naming the user if a score is NaN.
TopK top_k(const Scorer& scorer, std::span<const std::int32_t> users, std::span<const data::Csr* const> masks,
           std::int64_t k, RankingState* state = nullptr);

}  // namespace hyperllm::retrieval
