#include "hyperllm/graph/graph.h"

#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <cmath>

#include "hyperllm/base/error.h"
#include "hyperllm/graph/graph_holder.h"
#include "hyperllm/manifold/fused.h"

namespace hyperllm::graph {
namespace {

using manifold::const_floats;
using manifold::floats;
using torch::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

struct PropagateSum : public torch::autograd::Function<PropagateSum> {
  static Tensor forward(AutogradContext* context, const Tensor& x, const GraphPtr& graph,
                        std::int64_t layers) {
    context->saved_data["graph"] = c10::IValue::make_capsule(c10::make_intrusive<GraphHolder>(graph));
    context->saved_data["layers"] = layers;
    const Tensor input = x.contiguous();
    Tensor out = torch::empty_like(input), scratch = torch::empty_like(input);
    kernels::propagate_sum(graph->view(), const_floats(input), input.size(1), layers, floats(out),
                           floats(scratch));
    return out;
  }
  static variable_list backward(AutogradContext* context, variable_list grads) {
    const auto holder =
        c10::static_intrusive_pointer_cast<GraphHolder>(context->saved_data["graph"].toCapsule());
    const Tensor grad = grads[0].contiguous();
    Tensor out = torch::empty_like(grad), scratch = torch::empty_like(grad);
    kernels::propagate_sum_backward(holder->graph->view(), const_floats(grad), grad.size(1),
                                    context->saved_data["layers"].toInt(), floats(out), floats(scratch));
    return {out, Tensor(), Tensor()};
  }
};

// The specification of propagate_sum in plain ATen.
Tensor reference_propagate_sum(const Graph& graph, const Tensor& x, std::int64_t layers) {
  const kernels::SymmetricGraph view = graph.view();
  std::vector<std::int64_t> rows, columns;
  std::vector<double> values;
  for (std::int64_t row = 0; row < view.nodes; ++row)
    for (std::int64_t e = view.indptr[row]; e < view.indptr[row + 1]; ++e) {
      rows.push_back(row);
      columns.push_back(view.indices[e]);
      values.push_back((view.weights.empty() ? 1.0 : view.weights[e]) * view.scale[row] *
                       (view.both_sides ? view.scale[view.indices[e]] : 1.0F));
    }
  const Tensor row_index = torch::tensor(rows, torch::kLong).to(x.device());
  const Tensor column_index = torch::tensor(columns, torch::kLong).to(x.device());
  const Tensor value = torch::tensor(values, torch::kDouble).to(x.options()).unsqueeze(1);
  Tensor layer = x, sum;
  for (std::int64_t l = 0; l < layers; ++l) {
    layer = torch::zeros_like(x).index_add(0, row_index, layer.index_select(0, column_index) * value);
    sum = sum.defined() ? sum + layer : layer;
  }
  return sum;
}

}  // namespace

Graph::Graph(std::int64_t nodes, std::span<const Edge> edges, Normalization normalization, SelfLoops loops)
    : nodes_(nodes), both_sides_(normalization == Normalization::kSymmetric) {
  std::vector<Edge> entries;
  entries.reserve(2 * edges.size() + nodes);
  for (const Edge& edge : edges) {
    HYPERLLM_CHECK(edge.a >= 0 && edge.a < nodes && edge.b >= 0 && edge.b < nodes,
                   ErrorCode::kInvalidArgument,
                   "[graph] edge " + std::to_string(edge.a) + "-" + std::to_string(edge.b) +
                       " leaves the range of " + std::to_string(nodes) + " nodes");
    entries.push_back(edge);
    entries.push_back({edge.b, edge.a, edge.weight});
  }
  std::vector<bool> connected(loops == SelfLoops::kIsolated ? nodes : 0);
  if (loops == SelfLoops::kIsolated)
    for (const Edge& entry : entries) connected[entry.a] = true;
  for (std::int64_t node = 0; node < nodes; ++node)
    if (loops == SelfLoops::kAll || (loops == SelfLoops::kIsolated && !connected[node]))
      entries.push_back({static_cast<std::int32_t>(node), static_cast<std::int32_t>(node), 1});
  std::sort(entries.begin(), entries.end(),
            [](const Edge& x, const Edge& y) { return x.a != y.a ? x.a < y.a : x.b < y.b; });
  indptr_.assign(nodes + 1, 0);
  std::vector<double> degree(nodes, 0);
  for (std::size_t e = 0; e < entries.size(); ++e) {
    const Edge& entry = entries[e];
    if (e > 0 && entries[e - 1].a == entry.a && entries[e - 1].b == entry.b) {
      weights_.back() += entry.weight;
    } else {
      indices_.push_back(entry.b);
      weights_.push_back(entry.weight);
      ++indptr_[entry.a + 1];
    }
    degree[entry.a] += entry.weight;
  }
  for (std::int64_t node = 0; node < nodes; ++node) {
    indptr_[node + 1] += indptr_[node];
    const double inverse = degree[node] > 0 ? 1 / degree[node] : 0;
    scale_.push_back(static_cast<float>(both_sides_ ? std::sqrt(inverse) : inverse));
  }
  if (std::all_of(weights_.begin(), weights_.end(), [](float weight) { return weight == 1; })) weights_ = {};
  cuts_ = kernels::row_cuts(indptr_);
}

kernels::SymmetricGraph Graph::view() const {
  return {nodes_, indptr_, indices_, weights_, scale_, cuts_, both_sides_};
}

std::vector<Edge> Graph::edges() const {
  std::vector<Edge> edges;
  edges.reserve(indices_.size() / 2);
  for (std::int64_t row = 0; row < nodes_; ++row)
    for (std::int64_t e = indptr_[row]; e < indptr_[row + 1]; ++e)
      if (row < indices_[e])
        edges.push_back({static_cast<std::int32_t>(row), indices_[e], weights_.empty() ? 1 : weights_[e]});
  return edges;
}

GraphPtr Graph::symmetric() const {
  std::call_once(made_symmetric_, [this] {
    symmetric_ = std::make_shared<Graph>(nodes_, edges(), Normalization::kSymmetric, SelfLoops::kNone);
  });
  return symmetric_;
}

GraphPtr user_item_graph(const data::Csr& train) {
  std::vector<Edge> edges;
  edges.reserve(train.indices.size());
  for (std::int64_t user = 0; user < train.rows; ++user)
    for (std::int32_t item : train.row(user))
      edges.push_back({static_cast<std::int32_t>(user), static_cast<std::int32_t>(train.rows + item), 1});
  return std::make_shared<Graph>(train.rows + train.cols, edges);
}

GraphPtr tag_graph(const data::TagGraph& tags, std::int64_t num_items, double tag_tag_weight) {
  const auto tag_node = [&](std::int32_t tag) { return static_cast<std::int32_t>(num_items + tag); };
  std::vector<Edge> edges;
  edges.reserve(tags.edges.size() + tags.tag_items.size());
  for (const auto& [parent, child] : tags.edges)
    edges.push_back({tag_node(parent), tag_node(child), static_cast<float>(tag_tag_weight)});
  for (const auto& [tag, item] : tags.tag_items) edges.push_back({tag_node(tag), item, 1});
  return std::make_shared<Graph>(num_items + static_cast<std::int64_t>(tags.tags.size()), edges);
}

Tensor propagate_sum(const GraphPtr& graph, const Tensor& x, std::int64_t layers) {
  HYPERLLM_CHECK(x.dim() == 2 && x.size(0) == graph->nodes() && layers >= 1, ErrorCode::kInvalidArgument,
                 "[propagate_sum] expected " + std::to_string(graph->nodes()) +
                     " rows and at least one layer, got " + std::to_string(x.size(0)) + " rows and " +
                     std::to_string(layers) + " layers");
  if (manifold::use_kernel(x)) return PropagateSum::apply(x, graph, layers);
  return reference_propagate_sum(*graph, x, layers);
}

}  // namespace hyperllm::graph
