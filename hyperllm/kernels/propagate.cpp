#include "hyperllm/kernels/propagate.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "hyperllm/base/parallel.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "hyperllm/kernels/propagate.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace hyperllm::kernels::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

// sum += weight * row, multiplied and added separately: the same bits on every target.
HWY_ATTR void add_row(float weight, const float* HWY_RESTRICT row, std::size_t dim, float* HWY_RESTRICT sum) {
  const hn::ScalableTag<float> d;
  const std::size_t lanes = hn::Lanes(d);
  const auto w = hn::Set(d, weight);
  std::size_t k = 0;
  for (; k + lanes <= dim; k += lanes)
    hn::StoreU(hn::Add(hn::LoadU(d, sum + k), hn::Mul(w, hn::LoadU(d, row + k))), d, sum + k);
  for (; k < dim; ++k) sum[k] += weight * row[k];
}

// Rows [begin, end) of A x + base (normalise_rows) or A^T x + base; base may be null.
HWY_ATTR void propagate_rows(const SymmetricGraph& graph, const float* x, std::size_t dim,
                             bool normalise_rows, std::int64_t begin, std::int64_t end, const float* base,
                             float* out) {
  for (std::int64_t row = begin; row < end; ++row) {
    float* sum = out + row * static_cast<std::int64_t>(dim);
    std::fill(sum, sum + dim, 0.0f);
    for (std::int64_t e = graph.indptr[row]; e < graph.indptr[row + 1]; ++e) {
      const std::int32_t j = graph.indices[e];
      const float weight = normalise_rows ? graph.weights[e] : graph.weights[e] * graph.inverse_degree[j];
      add_row(weight, x + j * static_cast<std::int64_t>(dim), dim, sum);
    }
    const float scale = normalise_rows ? graph.inverse_degree[row] : 1.0f;
    if (base) {
      const float* b = base + row * static_cast<std::int64_t>(dim);
      for (std::size_t k = 0; k < dim; ++k) sum[k] = sum[k] * scale + b[k];
    } else {
      for (std::size_t k = 0; k < dim; ++k) sum[k] *= scale;
    }
  }
}

}  // namespace hyperllm::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace hyperllm::kernels {

HWY_EXPORT(propagate_rows);

namespace {

constexpr std::int64_t kEdgesPerBlock = 8192;

// Row ranges with about kEdgesPerBlock edges each.
std::vector<std::int64_t> row_cuts(const SymmetricGraph& graph) {
  std::vector<std::int64_t> cuts = {0};
  for (std::int64_t row = 0; row < graph.nodes; ++row)
    if (row + 1 == graph.nodes || graph.indptr[row + 1] - graph.indptr[cuts.back()] >= kEdgesPerBlock)
      cuts.push_back(row + 1);
  return cuts;
}

void horner(const SymmetricGraph& graph, std::span<const float> x, std::int64_t dim, std::int64_t layers,
            std::span<float> out, std::span<float> scratch, bool normalise_rows) {
  const std::vector<std::int64_t> cuts = row_cuts(graph);
  const float* source = x.data();
  // The last layer must land in `out`.
  float* target = layers % 2 == 1 ? out.data() : scratch.data();
  float* other = layers % 2 == 1 ? scratch.data() : out.data();
  for (std::int64_t layer = 1; layer <= layers; ++layer) {
    const float* base = layer < layers ? x.data() : nullptr;
    parallel_blocks(static_cast<std::int64_t>(cuts.size()) - 1, [&](std::int64_t block) {
      HWY_DYNAMIC_DISPATCH(propagate_rows)
      (graph, source, static_cast<std::size_t>(dim), normalise_rows, cuts[block], cuts[block + 1], base,
       target);
    });
    source = target;
    std::swap(target, other);
  }
}

}  // namespace

void propagate_sum(const SymmetricGraph& graph, std::span<const float> x, std::int64_t dim,
                   std::int64_t layers, std::span<float> out, std::span<float> scratch) {
  horner(graph, x, dim, layers, out, scratch, true);
}

void propagate_sum_backward(const SymmetricGraph& graph, std::span<const float> grad, std::int64_t dim,
                            std::int64_t layers, std::span<float> out, std::span<float> scratch) {
  horner(graph, grad, dim, layers, out, scratch, false);
}

}  // namespace hyperllm::kernels
#endif  // HWY_ONCE
