#include "hyperllm/models/hypercl.h"

#include <algorithm>
#include <cmath>
#include <mutex>
#include <numeric>

#include "hyperllm/graph/midpoints.h"
#include "hyperllm/kernels/contrast.h"
#include "hyperllm/manifold/fused.h"
#include "hyperllm/models/hgcf.h"
#include "hyperllm/models/model.h"

namespace hyperllm::models {
namespace {

using torch::Tensor;

constexpr double kFarthest = 10;  // radius of what E2 starts from

graph::GraphPtr of_kept_edges(const graph::Graph& graph, const HyperClOptions& own, Random random) {
  std::vector<graph::Edge> edges = graph.edges();
  const auto kept = static_cast<std::size_t>((1 - own.ssl_ratio) * static_cast<double>(edges.size()));
  random.shuffle_front(std::span(edges), kept);
  edges.resize(kept);
  return std::make_shared<graph::Graph>(
      graph.nodes(), edges, graph::Normalization::kSymmetric,
      own.isolated == "self" ? graph::SelfLoops::kIsolated : graph::SelfLoops::kNone);
}

// Nodes of a step, each once, and where in the step they occur: those of node i from first[i] to before
// first[i + 1].
struct Merged {
  std::vector<std::int32_t> id;
  std::vector<std::int64_t> first, at;

  explicit Merged(const std::vector<std::int32_t>& ids) : at(ids.size()) {
    std::iota(at.begin(), at.end(), std::int64_t{0});
    std::stable_sort(at.begin(), at.end(), [&](std::int64_t a, std::int64_t b) { return ids[a] < ids[b]; });
    for (std::size_t p = 0; p < at.size(); ++p) {
      if (!id.empty() && id.back() == ids[at[p]]) continue;
      id.push_back(ids[at[p]]);
      first.push_back(static_cast<std::int64_t>(p));
    }
    first.push_back(std::ssize(at));
  }
  std::int64_t size() const { return std::ssize(id); }
};

// The nodes of a step that are points in the second view, as often as they occur.
struct Columns {
  std::vector<std::int32_t> id;
  std::vector<std::int64_t> of_pair;  // -1: its node is no point
  std::int64_t nothing = 0;           // those pairs

  Columns(const std::vector<std::int32_t>& ids, const graph::Graph& second) {
    const kernels::SymmetricGraph view = second.view();
    for (const std::int32_t node : ids) {
      const bool point = view.indptr[node] < view.indptr[node + 1];
      of_pair.push_back(point ? size() : -1);
      if (point) id.push_back(node);
      nothing += point ? 0 : 1;
    }
  }
  std::int64_t size() const { return std::ssize(id); }
};

std::vector<std::int32_t> joined(std::vector<std::int32_t> first, const std::vector<std::int32_t>& second) {
  first.insert(first.end(), second.begin(), second.end());
  return first;
}

class HyperCl final : public Backbone {
 public:
  HyperCl(const BackboneOptions& options, HyperClOptions own)
      : options_(options), own_(std::move(own)), hgcf_(make_hgcf(options)) {}

  Space space() const override { return hgcf_->space(); }
  double cap() const override { return hgcf_->cap(); }
  Tensor encode(const Tensor& tangents, const graph::GraphPtr& graph, const Pass& pass) const override {
    return hgcf_->encode(tangents, graph, pass);
  }

  Tensor auxiliary_loss(const Encoded& encoded, const Pass& pass) const override {
    if (own_.ssl_reg == 0) return {};
    const objectives::Pairs& pairs = encoded.pairs;
    const HyperClViews views = views_of(encoded.graph, pass);
    const Merged users(pairs.anchor), items(pairs.positive);
    const Columns of_users(pairs.anchor, *views.second), of_items(pairs.positive, *views.second);
    const Tensor a = manifold::expmap0_rows(
        manifold::gathered_rows(graph::propagate_sum(views.first, encoded.tangents, options_.layers),
                                joined(users.id, items.id)),
        options_.curvature, options_.max_radius);
    const Tensor b = manifold::gathered_rows(
        graph::midpoints(views.second,
                         manifold::expmap0_rows(encoded.tangents, options_.curvature, kFarthest),
                         options_.layers, options_.curvature),
        joined(of_users.id, of_items.id));
    const std::vector<Tensor> rows =
        manifold::row_ranges(a, {{0, users.size()}, {users.size(), items.size()}});
    const std::vector<Tensor> columns =
        manifold::row_ranges(b, {{0, of_users.size()}, {of_users.size(), of_items.size()}});
    return own_.ssl_reg *
           (contrast(rows[0], columns[0], users, of_users) + contrast(rows[1], columns[1], items, of_items));
  }

  std::int64_t auxiliary_bytes(const Nodes& nodes, std::int64_t dim, std::int64_t pairs) const override {
    if (own_.ssl_reg == 0) return 0;
    // Of the first view: sums, their gradient, a copy of it. Of the second: points, layers, and the backward
    // pass's four.
    const std::int64_t tables = (8 + options_.layers) * (nodes.users + nodes.items) * (dim + 1);
    const std::int64_t lanes = kernels::contrast_lanes(pairs);
    const std::int64_t of_pairs = pairs * (lanes * (dim + 65) + 10 * dim);
    return 4 * (tables + of_pairs);
  }

 private:
  // Those of the last epoch are kept: they take longer to make than a step.
  HyperClViews views_of(const graph::GraphPtr& graph, const Pass& pass) const {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (made_of_ != graph || seed_ != pass.seed || epoch_ != pass.epoch) {
      views_ = hypercl_views(*graph, own_, pass);
      made_of_ = graph;
      seed_ = pass.seed;
      epoch_ = pass.epoch;
    }
    return views_;
  }

  Tensor contrast(const Tensor& rows, const Tensor& columns, const Merged& of_rows,
                  const Columns& of_columns) const {
    std::vector<std::int64_t> target;
    for (const std::int64_t pair : of_rows.at) target.push_back(of_columns.of_pair[pair]);
    return manifold::softmax_contrast(rows, columns, target, options_.curvature, own_.ssl_temp, of_rows.first,
                                      of_columns.nothing);
  }

  BackboneOptions options_;
  HyperClOptions own_;
  std::unique_ptr<Backbone> hgcf_;
  mutable std::mutex mutex_;
  mutable graph::GraphPtr made_of_;
  mutable std::uint64_t seed_ = 0;
  mutable std::int64_t epoch_ = 0;
  mutable HyperClViews views_;
};

struct HyperClModel : Model {
  FieldList fields() override {
    return {
        {"ssl_ratio", &own.ssl_ratio, "share of the edges that each of the contrast's two graphs drops",
         within(0, 0.999)},
        {"ssl_temp", &own.ssl_temp, "temperature of the contrast", above(0, 1e4)},
        {"ssl_reg", &own.ssl_reg, "weight of the contrast; 0 leaves it out", within(0, 1e6)},
        {"isolated",
         &own.isolated,
         "what stands for a node that lost all its edges: its own point, or nothing, at distance 0 from all, "
         "as in the released code",
         {"self", "zero"}}};
  }
  std::unique_ptr<Backbone> backbone(const BackboneOptions& options) const override {
    return make_hypercl(options, own);
  }
  HyperClOptions own;
};

}  // namespace

HyperClViews hypercl_views(const graph::Graph& graph, const HyperClOptions& own, const Pass& pass) {
  const Pass of_epoch{.training = true, .seed = pass.seed, .epoch = pass.epoch, .step = 0};
  return {of_kept_edges(graph, own, of_epoch.random("hypercl edges of the first view")),
          of_kept_edges(graph, own, of_epoch.random("hypercl edges of the second view"))};
}

std::unique_ptr<Backbone> make_hypercl(const BackboneOptions& options, const HyperClOptions& own) {
  return std::make_unique<HyperCl>(options, own);
}

void add_hypercl(Registry<Model>& to) {
  to.add("hypercl", "backbone: HGCF and a contrast with a fully hyperbolic view", HyperClModel());
}

}  // namespace hyperllm::models
