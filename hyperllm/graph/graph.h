// Normalised adjacencies and propagation along them.
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "hyperllm/data/csr.h"
#include "hyperllm/data/tags.h"
#include "hyperllm/kernels/propagate.h"

namespace hyperllm::graph {

struct Edge {
  std::int32_t a;
  std::int32_t b;
  float weight = 1;
};

// An undirected graph with the row-normalised adjacency A = D^-1 (B + I). Immutable; shared by pointer with
// autograd nodes.
class Graph {
 public:
  // Every edge counts in both directions; edges named twice add their weights. Throws kInvalidArgument for
  // ids out of range.
  Graph(std::int64_t nodes, std::span<const Edge> edges);

  std::int64_t nodes() const { return nodes_; }
  std::int64_t nnz() const { return static_cast<std::int64_t>(indices_.size()); }  // self-loops included
  kernels::SymmetricGraph view() const;

 private:
  std::int64_t nodes_;
  std::vector<std::int64_t> indptr_;
  std::vector<std::int32_t> indices_;
  std::vector<float> weights_;  // empty: all 1
  std::vector<float> inverse_degree_;
  std::vector<std::int64_t> cuts_;
};

using GraphPtr = std::shared_ptr<const Graph>;

// Nodes: users, then items (node = num_users + item).
GraphPtr user_item_graph(const data::Csr& train);

// Nodes: items, then tags (node = num_items + tag). tag_tag_weight: 2 in the released code, where both
// directions of an already symmetric list are added; tag-item edges weigh 1.
GraphPtr tag_graph(const data::TagGraph& tags, std::int64_t num_items, double tag_tag_weight);

// sum over l = 1..layers of A^l x. x: nodes x dim. Differentiable once on the kernel path.
torch::Tensor propagate_sum(const GraphPtr& graph, const torch::Tensor& x, std::int64_t layers);

}  // namespace hyperllm::graph
