#include "hyperllm/kernels/propagate.h"

#include <algorithm>
#include <utility>

#include "hyperllm/base/parallel.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "hyperllm/kernels/propagate.cpp"
// clang-format off: foreach_target.h must come first
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
// clang-format on
#include <hwy/cache_control.h>

#ifndef HYPERLLM_KERNELS_PROPAGATE_LAYER
#define HYPERLLM_KERNELS_PROPAGATE_LAYER
namespace hyperllm::kernels {

// One layer: target = base + A source, or A^T source; base may be null.
struct PropagateLayer {
  const SymmetricGraph& graph;
  const float* source;
  const float* base;
  float* target;
  std::int64_t dim;
  bool scales_rows, scales_columns;
};

}  // namespace hyperllm::kernels
#endif

HWY_BEFORE_NAMESPACE();
namespace hyperllm::kernels::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

constexpr std::size_t kMaxVectors = 8;
constexpr std::int64_t kAhead = 32;  // edges
constexpr std::int64_t kLine = 16;   // floats

enum class Weights { kOne, kGiven, kByColumn, kGivenByColumn };

template <Weights kWeights>
HWY_INLINE float weight_of(const SymmetricGraph& graph, std::int64_t edge, std::int32_t column) {
  if constexpr (kWeights == Weights::kGiven) return graph.weights[edge];
  if constexpr (kWeights == Weights::kByColumn) return graph.scale[column];
  if constexpr (kWeights == Weights::kGivenByColumn) return graph.weights[edge] * graph.scale[column];
  return 1;
}

// Columns [first, first + n) of rows [begin, end), where n takes kVectors vectors, the last of which starts
// at `last` and may overlap the one before. The sums stay in registers while a row's edges pass.
template <std::size_t kVectors, Weights kWeights>
HWY_ATTR void panel(const PropagateLayer& layer, std::int64_t first, std::int64_t last, std::int64_t begin,
                    std::int64_t end) {
  const hn::ScalableTag<float> d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  const auto at = [&](std::size_t v) {
    return v + 1 == kVectors ? last : first + static_cast<std::int64_t>(v) * lanes;
  };
  const std::int64_t before_last = static_cast<std::int64_t>(kVectors - 1) * lanes;
  const SymmetricGraph& graph = layer.graph;
  const std::int32_t* indices = graph.indices.data();
  const std::int64_t edges = static_cast<std::int64_t>(graph.indices.size());
  for (std::int64_t row = begin; row < end; ++row) {
    hn::Vec<decltype(d)> sum[kVectors];
    for (std::size_t v = 0; v < kVectors; ++v) sum[v] = hn::Zero(d);
    for (std::int64_t e = graph.indptr[row]; e < graph.indptr[row + 1]; ++e) {
      const float* next = layer.source + indices[std::min(e + kAhead, edges - 1)] * layer.dim;
      for (std::int64_t k = 0; k < before_last; k += kLine) hwy::Prefetch(next + first + k);
      hwy::Prefetch(next + last + lanes - 1);
      const std::int32_t j = indices[e];
      const float* source = layer.source + j * layer.dim;
      const auto weight = hn::Set(d, weight_of<kWeights>(graph, e, j));
      for (std::size_t v = 0; v < kVectors; ++v) {
        const auto value = hn::LoadU(d, source + at(v));
        sum[v] = hn::Add(sum[v], kWeights == Weights::kOne ? value : hn::Mul(weight, value));
      }
    }
    const auto scale = hn::Set(d, layer.scales_rows ? graph.scale[row] : 1.0f);
    for (std::size_t v = 0; v < kVectors; ++v) {
      sum[v] = hn::Mul(sum[v], scale);
      if (layer.base) sum[v] = hn::Add(sum[v], hn::LoadU(d, layer.base + row * layer.dim + at(v)));
    }
    for (std::size_t v = 0; v < kVectors; ++v) hn::StoreU(sum[v], d, layer.target + row * layer.dim + at(v));
  }
}

// The same one column at a time, for rows shorter than a vector.
template <Weights kWeights>
HWY_ATTR void narrow(const PropagateLayer& layer, std::int64_t begin, std::int64_t end) {
  const SymmetricGraph& graph = layer.graph;
  for (std::int64_t row = begin; row < end; ++row)
    for (std::int64_t k = 0; k < layer.dim; ++k) {
      float sum = 0;
      for (std::int64_t e = graph.indptr[row]; e < graph.indptr[row + 1]; ++e) {
        const std::int32_t j = graph.indices[e];
        sum += weight_of<kWeights>(graph, e, j) * layer.source[j * layer.dim + k];
      }
      sum *= layer.scales_rows ? graph.scale[row] : 1.0f;
      layer.target[row * layer.dim + k] = layer.base ? sum + layer.base[row * layer.dim + k] : sum;
    }
}

template <Weights kWeights, std::size_t... kCounts>
HWY_ATTR void panel_of(std::index_sequence<kCounts...>, std::size_t vectors, const PropagateLayer& layer,
                       std::int64_t first, std::int64_t last, std::int64_t begin, std::int64_t end) {
  ((vectors == kCounts + 1 ? panel<kCounts + 1, kWeights>(layer, first, last, begin, end) : void()), ...);
}

template <Weights kWeights>
HWY_ATTR void rows_of(const PropagateLayer& layer, std::int64_t begin, std::int64_t end) {
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(hn::ScalableTag<float>()));
  if (layer.dim < lanes) return narrow<kWeights>(layer, begin, end);
  for (std::int64_t first = 0; first < layer.dim;) {
    const std::int64_t left = (layer.dim - first + lanes - 1) / lanes;
    const std::int64_t vectors = std::min<std::int64_t>(left, kMaxVectors);
    const std::int64_t last = vectors == left ? layer.dim - lanes : first + (vectors - 1) * lanes;
    panel_of<kWeights>(std::make_index_sequence<kMaxVectors>(), static_cast<std::size_t>(vectors), layer,
                       first, last, begin, end);
    first += vectors * lanes;
  }
}

HWY_ATTR void propagate_rows(const PropagateLayer& layer, std::int64_t begin, std::int64_t end) {
  const bool given = !layer.graph.weights.empty();
  if (layer.scales_columns)
    given ? rows_of<Weights::kGivenByColumn>(layer, begin, end)
          : rows_of<Weights::kByColumn>(layer, begin, end);
  else
    given ? rows_of<Weights::kGiven>(layer, begin, end) : rows_of<Weights::kOne>(layer, begin, end);
}

}  // namespace hyperllm::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace hyperllm::kernels {

HWY_EXPORT(propagate_rows);

namespace {

// A row costs about as much as this many edges beside its own.
constexpr std::int64_t kEdgesPerRow = 4, kWorkPerBlock = 4096;

void horner(const SymmetricGraph& graph, std::span<const float> x, std::int64_t dim, std::int64_t layers,
            std::span<float> out, std::span<float> scratch, bool transposed) {
  const float* source = x.data();
  // The last layer must land in `out`.
  float* target = layers % 2 == 1 ? out.data() : scratch.data();
  float* other = layers % 2 == 1 ? scratch.data() : out.data();
  for (std::int64_t left = layers; left > 0; --left) {
    const PropagateLayer layer{graph,
                               source,
                               left > 1 ? x.data() : nullptr,
                               target,
                               dim,
                               !transposed || graph.both_sides,
                               transposed || graph.both_sides};
    parallel_blocks(static_cast<std::int64_t>(graph.cuts.size()) - 1, [&](std::int64_t block) {
      HWY_DYNAMIC_DISPATCH(propagate_rows)(layer, graph.cuts[block], graph.cuts[block + 1]);
    });
    source = target;
    std::swap(target, other);
  }
}

}  // namespace

std::vector<std::int64_t> row_cuts(std::span<const std::int64_t> indptr) {
  const auto nodes = static_cast<std::int64_t>(indptr.size()) - 1;
  std::vector<std::int64_t> cuts = {0};
  std::int64_t work = 0;
  for (std::int64_t row = 0; row < nodes; ++row) {
    work += indptr[row + 1] - indptr[row] + kEdgesPerRow;
    if (row + 1 < nodes && work < kWorkPerBlock) continue;
    cuts.push_back(row + 1);
    work = 0;
  }
  return cuts;
}

void propagate_sum(const SymmetricGraph& graph, std::span<const float> x, std::int64_t dim,
                   std::int64_t layers, std::span<float> out, std::span<float> scratch) {
  horner(graph, x, dim, layers, out, scratch, false);
}

void propagate_sum_backward(const SymmetricGraph& graph, std::span<const float> grad, std::int64_t dim,
                            std::int64_t layers, std::span<float> out, std::span<float> scratch) {
  horner(graph, grad, dim, layers, out, scratch, true);
}

}  // namespace hyperllm::kernels
#endif  // HWY_ONCE
