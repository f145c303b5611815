#include "hyperllm/frameworks/hyperllm.h"

#include <algorithm>
#include <numeric>

#include "hyperllm/kernels/elementwise.h"
#include "hyperllm/manifold/row_ranges.h"

namespace hyperllm::frameworks {

using torch::Tensor;

namespace {

// One ranking loss over both lists.
manifold::Triplets joined(manifold::Triplets a, const manifold::Triplets& b) {
  a.anchor.insert(a.anchor.end(), b.anchor.begin(), b.anchor.end());
  a.positive.insert(a.positive.end(), b.positive.begin(), b.positive.end());
  a.negative.insert(a.negative.end(), b.negative.begin(), b.negative.end());
  return a;
}

// The triplets' positives by anchor: the softmax of an anchor serves all its pairs.
struct Grouped {
  std::vector<std::int32_t> anchor;           // each once, ascending
  std::vector<std::int64_t> first, positive;  // those of anchor i: from first[i] to before first[i + 1]
};

Grouped by_anchor(const manifold::Triplets& triplets, std::int64_t first_positive) {
  std::vector<std::int64_t> order(triplets.size());
  std::iota(order.begin(), order.end(), std::int64_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::int64_t a, std::int64_t b) { return triplets.anchor[a] < triplets.anchor[b]; });
  Grouped grouped;
  for (std::int64_t at : order) {
    const std::int32_t anchor = triplets.anchor[at];
    if (grouped.anchor.empty() || grouped.anchor.back() != anchor) {
      grouped.anchor.push_back(anchor);
      grouped.first.push_back(std::ssize(grouped.positive));
    }
    grouped.positive.push_back(triplets.positive[at] - first_positive);
  }
  grouped.first.push_back(std::ssize(grouped.positive));
  return grouped;
}

std::string bad_row(const std::string& name, const Tensor& tensor) {
  const Tensor values = tensor.detach().contiguous();
  const std::int64_t at = kernels::first_non_finite(manifold::const_floats(values));
  return at < 0
             ? ""
             : "tensor " + name + ", row " + std::to_string(at / std::max<std::int64_t>(values.size(-1), 1));
}

}  // namespace

HyperLlm::HyperLlm(const HyperLlmOptions& options, std::shared_ptr<const models::Backbone> backbone,
                   graph::GraphPtr user_item, std::unique_ptr<Embeddings> embeddings,
                   std::optional<TagTask> tags)
    : options_(options),
      backbone_(std::move(backbone)),
      user_item_(std::move(user_item)),
      embeddings_(std::move(embeddings)),
      tags_(std::move(tags)) {
  if (!tags_) return;
  // Nodes in the order users, items, tags: both graphs are ranges of rows of one table.
  const std::int64_t rows = options_.num_users + options_.num_items, dim = embeddings_->tangents().size(1),
                     tag_rows = tags_->embeddings->tangents().size(0);
  const Tensor table = torch::empty({rows + tag_rows, dim});
  embeddings_->lie_in(table.narrow(0, 0, rows));
  tags_->embeddings->lie_in(table.narrow(0, rows, tag_rows));
}

std::vector<optim::Parameter> HyperLlm::parameters() const {
  std::vector<optim::Parameter> parameters = embeddings_->parameters();
  if (tags_)
    for (optim::Parameter& parameter : tags_->embeddings->parameters())
      parameters.push_back(std::move(parameter));
  return parameters;
}

Tensor HyperLlm::task_loss(const Tensor& points, const manifold::Triplets& triplets, double margin,
                           std::int64_t first_candidate, std::int64_t candidates) const {
  if (options_.objective == Objective::kHinge) return backbone_->ranking_loss(points, triplets, margin);
  const Grouped grouped = by_anchor(triplets, first_candidate);
  const std::vector<Tensor> parts =
      manifold::row_ranges(points, {{0, points.size(0)}, {first_candidate, candidates}});
  return manifold::softmax_contrast(manifold::gathered_rows(parts[0], grouped.anchor), parts[1],
                                    grouped.positive, backbone_->curvature(), options_.softmax_tau,
                                    grouped.first);
}

Tensor HyperLlm::tag_loss(const Tensor& points, const Batch& batch) const {
  if (options_.objective == Objective::kHinge)
    return backbone_->ranking_loss(points, joined(batch.tag_item, batch.tag_tag), tags_->margin);
  const std::int64_t items = options_.num_items;
  return task_loss(points, batch.tag_item, tags_->margin, 0, items) +
         task_loss(points, batch.tag_tag, tags_->margin, items, points.size(0) - items);
}

Tensor HyperLlm::contrast(const Tensor& items, const Tensor& items_of_tags,
                          const std::vector<std::int32_t>& sample) const {
  if (sample.empty()) {
    std::vector<std::int64_t> same(items.size(0));
    std::iota(same.begin(), same.end(), std::int64_t{0});
    return manifold::softmax_contrast(items, items_of_tags, same, backbone_->curvature(),
                                      tags_->contrast_tau);
  }
  const double share = static_cast<double>(sample.size()) / static_cast<double>(items.size(0));
  const std::vector<std::int64_t> same(sample.begin(), sample.end());
  return manifold::softmax_contrast(manifold::gathered_rows(items, sample), items_of_tags, same,
                                    backbone_->curvature(), tags_->contrast_tau) /
         share;
}

Tensor HyperLlm::loss(const Batch& batch) const {
  const std::int64_t users = options_.num_users, items = options_.num_items;
  const Tensor e = embeddings_->tangents();
  if (!tags_) {
    const Tensor h = backbone_->encode(e, user_item_);                    // (13)
    return task_loss(h, batch.user_item, options_.margin, users, items);  // (11)
  }
  const Tensor e_tag = tags_->embeddings->tangents();
  const std::vector<Tensor> nodes = manifold::row_ranges(
      manifold::stacked_rows(e, e_tag), {{0, users + items}, {users, items + e_tag.size(0)}});
  Tensor h = backbone_->encode(nodes[0], user_item_);        // (13)
  Tensor h_tag = backbone_->encode(nodes[1], tags_->graph);  // (14)
  Tensor aligned;
  if (tags_->contrast_weight > 0) {
    const std::vector<Tensor> of_users = manifold::row_ranges(h, {{0, users + items}, {users, items}}),
                              of_tags = manifold::row_ranges(h_tag, {{0, h_tag.size(0)}, {0, items}});
    aligned = contrast(of_users[1], of_tags[1], batch.contrast_rows);
    h = of_users[0];
    h_tag = of_tags[0];
  }
  Tensor loss = task_loss(h, batch.user_item, options_.margin, users, items);  // L_ui
  loss = loss + tags_->loss_weight * tag_loss(h_tag, batch);                   // L_tag
  if (aligned.defined()) loss = loss + tags_->contrast_weight * aligned;       // L_cl
  return loss;                                                                 // (15)
}

void HyperLlm::parameters_changed() {
  embeddings_->parameters_changed();
  if (tags_) tags_->embeddings->parameters_changed();
}

Representations HyperLlm::representations() const {
  const torch::NoGradGuard no_grad;
  const Tensor h = backbone_->encode(embeddings_->tangents(), user_item_);
  return {h.narrow(0, 0, options_.num_users).contiguous(),
          h.narrow(0, options_.num_users, options_.num_items).contiguous()};
}

Tensor HyperLlm::tangents() const {
  const torch::NoGradGuard no_grad;
  return embeddings_->tangents().detach().clone();
}

double HyperLlm::saturation() const {
  const torch::NoGradGuard no_grad;
  return backbone_->saturation(backbone_->encode(embeddings_->tangents(), user_item_));
}

std::string HyperLlm::first_non_finite() const {
  const torch::NoGradGuard no_grad;
  for (const optim::Parameter& parameter : parameters())
    if (const std::string found = bad_row(parameter.name, parameter.value); !found.empty()) return found;
  const Tensor e = embeddings_->tangents();
  if (const std::string found = bad_row("tangents", e); !found.empty()) return found;
  return bad_row("representations", backbone_->encode(e, user_item_));
}

}  // namespace hyperllm::frameworks
