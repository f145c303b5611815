// Normalised adjacencies and propagation along them.
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <memory>
#include <mutex>
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

// D: the row sums of what is normalised, self-loops included. A row without an entry stays empty.
enum class Normalization {
  kRow,        // D^-1 S
  kSymmetric,  // D^-1/2 S D^-1/2
};
enum class SelfLoops {
  kAll,       // S = B + I
  kNone,      // S = B
  kIsolated,  // S = B, and 1 on the diagonal for nodes without an edge
};

// An undirected graph B with its normalised adjacency A, D^-1 (B + I) unless said otherwise. Immutable;
// shared by pointer with autograd nodes.
class Graph {
 public:
  // Every edge counts in both directions; edges named twice add their weights. Throws kInvalidArgument for
  // ids out of range.
  Graph(std::int64_t nodes, std::span<const Edge> edges, Normalization normalization = Normalization::kRow,
        SelfLoops loops = SelfLoops::kAll);

  std::int64_t nodes() const { return nodes_; }
  std::int64_t nnz() const { return static_cast<std::int64_t>(indices_.size()); }  // self-loops included
  kernels::SymmetricGraph view() const;

  // Each edge of B once, a < b, ascending. Edges from a node to itself are left out.
  std::vector<Edge> edges() const;
  // The same edges as D^-1/2 B D^-1/2, without self-loops: LightGCN's. Made at the first call, then kept.
  std::shared_ptr<const Graph> symmetric() const;

 private:
  std::int64_t nodes_;
  std::vector<std::int64_t> indptr_;
  std::vector<std::int32_t> indices_;
  std::vector<float> weights_;  // empty: all 1
  std::vector<float> scale_;
  std::vector<std::int64_t> cuts_;
  bool both_sides_;
  mutable std::once_flag made_symmetric_;
  mutable std::shared_ptr<const Graph> symmetric_;
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
