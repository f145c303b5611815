#include "hyperllm/frameworks/hyperllm.h"

#include <numeric>

#include "hyperllm/kernels/elementwise.h"

namespace hyperllm::frameworks {

using torch::Tensor;

namespace {

Tensor rows_of(const Tensor& points, const std::vector<std::int32_t>& ids) {
  return points.index_select(0,
                             torch::tensor(std::vector<std::int64_t>(ids.begin(), ids.end()), torch::kLong));
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
      tags_(std::move(tags)) {}

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
  std::vector<std::int64_t> target(triplets.positive.begin(), triplets.positive.end());
  for (std::int64_t& id : target) id -= first_candidate;
  return manifold::softmax_contrast(rows_of(points, triplets.anchor),
                                    points.narrow(0, first_candidate, candidates), target,
                                    backbone_->curvature(), options_.softmax_tau);
}

Tensor HyperLlm::loss(const Batch& batch) const {
  const std::int64_t users = options_.num_users, items = options_.num_items;
  const Tensor e = embeddings_->tangents();
  const Tensor h = backbone_->encode(e, user_item_);                           // (13)
  Tensor loss = task_loss(h, batch.user_item, options_.margin, users, items);  // L_ui
  if (!tags_) return loss;

  const Tensor e_tag = tags_->embeddings->tangents();
  const Tensor h_tag =
      backbone_->encode(torch::cat({e.narrow(0, users, items), e_tag}), tags_->graph);  // (14)
  const Tensor tag_loss = task_loss(h_tag, batch.tag_item, tags_->margin, 0, items) +
                          task_loss(h_tag, batch.tag_tag, tags_->margin, items, e_tag.size(0));
  loss = loss + tags_->loss_weight * tag_loss;
  if (tags_->contrast_weight > 0) {
    std::vector<std::int64_t> same(items);
    std::iota(same.begin(), same.end(), std::int64_t{0});
    loss = loss + tags_->contrast_weight *
                      manifold::softmax_contrast(h.narrow(0, users, items), h_tag.narrow(0, 0, items), same,
                                                 backbone_->curvature(), tags_->contrast_tau);  // (16)
  }
  return loss;  // (15)
}

Representations HyperLlm::representations() const {
  const torch::NoGradGuard no_grad;
  const Tensor h = backbone_->encode(embeddings_->tangents(), user_item_);
  return {h.narrow(0, 0, options_.num_users).contiguous(),
          h.narrow(0, options_.num_users, options_.num_items).contiguous()};
}

Tensor HyperLlm::tangents() const {
  const torch::NoGradGuard no_grad;
  return embeddings_->tangents().detach().contiguous();
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
