#include "hyperllm/models/hypercl.h"

#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <cmath>
#include <mutex>
#include <numeric>

#include "hyperllm/graph/midpoints.h"
#include "hyperllm/kernels/contrast.h"
#include "hyperllm/manifold/fused.h"
#include "hyperllm/manifold/reference.h"
#include "hyperllm/models/hgcf.h"
#include "hyperllm/models/model.h"

namespace hyperllm::models {
namespace {

using torch::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

constexpr double kFarthest = 10;  // radius of what E2 starts from

graph::GraphPtr of_kept_edges(const graph::Graph& graph, const HyperClOptions& own, Random random) {
  std::vector<graph::Edge> edges = graph.edges();
  const auto kept = static_cast<std::size_t>((1 - own.ssl_ratio) * static_cast<double>(edges.size()));
  for (std::size_t i = 0; i < kept; ++i) std::swap(edges[i], edges[i + random.below(edges.size() - i)]);
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

std::vector<std::int32_t> joined(std::vector<std::int32_t> first, const std::vector<std::int32_t>& second) {
  first.insert(first.end(), second.begin(), second.end());
  return first;
}

// The contrast where some columns are no points (`nothing`), at distance 0 from everything, for comparison with
// the released code. Blocks of rows, value and gradient at once: the matrix of all logits takes gigabytes. First
// derivatives only.
struct ContrastBesideNothing : public torch::autograd::Function<ContrastBesideNothing> {
  static constexpr std::int64_t kBlock = 32;  // rows

  // Time and space, so that -c <a, b> is the inner product of an ambient(a, c) with an ambient(b, -c).
  static Tensor ambient(const Tensor& x, double sign_c) {
    const double root = std::sqrt(std::abs(sign_c));
    return torch::cat(
        {torch::sqrt(1 + std::abs(sign_c) * x.square().sum(1, true)), x * (sign_c < 0 ? -root : root)}, 1);
  }

  static Tensor forward(AutogradContext* context, const Tensor& x, const Tensor& y, const Tensor& nothing,
                        const Tensor& first, const Tensor& target, double c, double tau) {
    const torch::AutoGradMode with_gradients(true);
    const auto leaf = [](const Tensor& value) { return value.detach().clone().requires_grad_(true); };
    const Tensor rows = leaf(x), columns = leaf(y);
    const Tensor row_points = ambient(rows, c), column_points = ambient(columns, -c);
    const Tensor every_column = leaf(column_points);
    std::vector<Tensor> row_grads;
    double sum = 0;
    for (std::int64_t begin = 0; begin < x.size(0); begin += kBlock) {
      const std::int64_t end = std::min(begin + kBlock, x.size(0));
      const Tensor of_rows = leaf(row_points.slice(0, begin, end));
      const Tensor pairs = first.diff().slice(0, begin, end),
                   row = torch::arange(end - begin).repeat_interleave(pairs),
                   of_pairs =
                       target.slice(0, first[begin].item<std::int64_t>(), first[end].item<std::int64_t>());
      const Tensor above_1 = torch::mm(of_rows, every_column.t()) - 1;
      const Tensor logits = (manifold::acosh1p_squared(above_1) * (-1 / (c * tau))).masked_fill(nothing, 0);
      const Tensor sums = torch::logsumexp(logits, 1).to(torch::kDouble) * pairs,
                   positives = logits.index({row, of_pairs}).to(torch::kDouble);
      const Tensor loss = sums.sum() - positives.sum();
      loss.backward();
      sum += loss.item<double>();
      row_grads.push_back(of_rows.grad());
    }
    row_points.backward(torch::cat(row_grads));
    column_points.backward(every_column.grad());
    context->save_for_backward({rows.grad(), columns.grad()});
    return torch::scalar_tensor(sum, torch::kDouble);
  }
  static variable_list backward(AutogradContext* context, variable_list grads) {
    const variable_list saved = context->get_saved_variables();
    const Tensor grad = grads[0].to(saved[0].scalar_type());
    return {grad * saved[0], grad * saved[1], Tensor(), Tensor(), Tensor(), Tensor(), Tensor()};
  }
};

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
    const Tensor a = manifold::expmap0_rows(
        manifold::gathered_rows(graph::propagate_sum(views.first, encoded.tangents, options_.layers),
                                joined(users.id, items.id)),
        options_.curvature, options_.max_radius);
    const Tensor b = manifold::gathered_rows(
        graph::midpoints(views.second,
                         manifold::expmap0_rows(encoded.tangents, options_.curvature, kFarthest),
                         options_.layers, options_.curvature),
        joined(pairs.anchor, pairs.positive));
    const std::vector<Tensor> rows =
        manifold::row_ranges(a, {{0, users.size()}, {users.size(), items.size()}});
    const std::vector<Tensor> columns =
        manifold::row_ranges(b, {{0, pairs.size()}, {pairs.size(), pairs.size()}});
    return own_.ssl_reg * (contrast(rows[0], columns[0], users, pairs.anchor, *views.second) +
                           contrast(rows[1], columns[1], items, pairs.positive, *views.second));
  }

  std::int64_t auxiliary_bytes(const Nodes& nodes, std::int64_t dim, std::int64_t pairs) const override {
    if (own_.ssl_reg == 0) return 0;
    // Of the first view: sums, their gradient, a copy of it. Of the second: points, layers, and the backward
    // pass's four.
    const std::int64_t tables = (8 + options_.layers) * (nodes.users + nodes.items) * (dim + 1);
    const std::int64_t lanes = kernels::contrast_lanes(pairs);
    const std::int64_t of_pairs = pairs * (lanes * (dim + 65) + 10 * dim);
    // Some thirty matrices of a block, and as many of the last block's size.
    const std::int64_t block = own_.isolated == "self" ? 0 : 60 * ContrastBesideNothing::kBlock * pairs;
    return 4 * (tables + of_pairs + block);
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

  // Each of the step's `ids` once for all its rows, against all of them.
  Tensor contrast(const Tensor& rows, const Tensor& columns, const Merged& merged,
                  const std::vector<std::int32_t>& ids, const graph::Graph& graph) const {
    if (own_.isolated == "self")
      return manifold::softmax_contrast(rows, columns, merged.at, options_.curvature, own_.ssl_temp,
                                        merged.first);
    return contrast_beside_nothing(rows, columns, merged, ids, graph);
  }

  Tensor contrast_beside_nothing(const Tensor& rows, const Tensor& columns, const Merged& merged,
                                 const std::vector<std::int32_t>& ids, const graph::Graph& graph) const {
    const kernels::SymmetricGraph view = graph.view();
    Tensor nothing = torch::zeros({std::ssize(ids)}, torch::kBool);
    for (std::size_t p = 0; p < ids.size(); ++p)
      nothing.data_ptr<bool>()[p] = view.indptr[ids[p]] == view.indptr[ids[p] + 1];
    return ContrastBesideNothing::apply(rows, columns, nothing, torch::tensor(merged.first),
                                        torch::tensor(merged.at), options_.curvature.c, own_.ssl_temp);
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
