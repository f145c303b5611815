// A graph among what an autograd node keeps for its backward pass.
#pragma once

#include <ATen/core/ivalue.h>

#include <utility>

#include "hyperllm/graph/graph.h"

namespace hyperllm::graph {

struct GraphHolder : torch::CustomClassHolder {
  explicit GraphHolder(GraphPtr held) : graph(std::move(held)) {}
  GraphPtr graph;
};

}  // namespace hyperllm::graph
