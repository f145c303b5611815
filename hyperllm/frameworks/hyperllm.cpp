#include "hyperllm/frameworks/hyperllm.h"

#include <numeric>

#include "hyperllm/manifold/row_ranges.h"
#include "hyperllm/objectives/contrast.h"

namespace hyperllm::frameworks {

using torch::Tensor;

namespace {

// Places in a batch, as hyperllm_draws orders them.
constexpr std::size_t kUserItem = 0, kTagItem = 1, kTagTag = 2, kContrast = 0;

// Tag-tag neighbours in both directions, and, if wanted, each tag itself: a tag is not its own negative.
std::shared_ptr<const data::Csr> tag_neighbours(const data::TagGraph& tags, bool with_self) {
  const auto count = static_cast<std::int64_t>(tags.tags.size());
  std::vector<std::pair<std::int32_t, std::int32_t>> pairs;
  for (const auto& [parent, child] : tags.edges) {
    pairs.emplace_back(parent, child);
    pairs.emplace_back(child, parent);
  }
  if (with_self)
    for (std::int32_t tag = 0; tag < count; ++tag) pairs.emplace_back(tag, tag);
  return std::make_shared<const data::Csr>(data::make_csr(count, count, pairs));
}

}  // namespace

Draws hyperllm_draws(std::shared_ptr<const data::Csr> train, const data::TagGraph* tags,
                     std::int64_t candidates, std::int64_t contrast_rows) {
  const std::int64_t num_items = train->cols;
  const auto items = static_cast<std::int32_t>(num_items);
  Draws draws;
  draws.pairs.push_back(user_item_draws(std::move(train), candidates));
  if (!tags) return draws;
  const auto count = static_cast<std::int64_t>(tags->tags.size());
  const auto tag_items = std::make_shared<const data::Csr>(data::make_csr(count, num_items, tags->tag_items));
  // Copies: the numbers of the released code.
  draws.pairs.push_back({.name = "tag-item",
                         .positives = tag_items,
                         .known = tag_items,
                         .anchor_offset = items,
                         .column_offset = 0,
                         .candidates = candidates,
                         .copies = 2});
  draws.pairs.push_back({.name = "tag-tag",
                         .positives = tag_neighbours(*tags, false),
                         .known = tag_neighbours(*tags, true),
                         .anchor_offset = items,
                         .column_offset = items,
                         .candidates = candidates,
                         .both_directions = true});
  draws.rows.push_back({"contrast", num_items, contrast_rows});
  return draws;
}

HyperLlm::HyperLlm(UserItemTask task, std::shared_ptr<const data::Csr> train,
                   std::unique_ptr<Embeddings> embeddings, std::optional<TagTask> tags)
    : task_(std::move(task)),
      train_(std::move(train)),
      embeddings_(std::move(embeddings)),
      tags_(std::move(tags)) {
  if (!tags_) return;
  // Nodes in the order users, items, tags: both graphs are ranges of rows of one table.
  const std::int64_t rows = task_.nodes.users + task_.nodes.items, dim = embeddings_->tangents().size(1),
                     tag_rows = tags_->embeddings->tangents().size(0);
  const Tensor table = torch::empty({rows + tag_rows, dim});
  embeddings_->lie_in(table.narrow(0, 0, rows));
  tags_->embeddings->lie_in(table.narrow(0, rows, tag_rows));
}

Draws HyperLlm::draws() const {
  return hyperllm_draws(train_, tags_ ? tags_->tags.get() : nullptr, task_.objective->candidates(),
                        tags_ && tags_->contrast_weight > 0 ? tags_->contrast_rows : 0);
}

std::vector<optim::Parameter> HyperLlm::parameters() const {
  std::vector<optim::Parameter> parameters = embeddings_->parameters();
  const auto append = [&](std::vector<optim::Parameter> more) {
    for (optim::Parameter& parameter : more) parameters.push_back(std::move(parameter));
  };
  if (tags_) append(tags_->embeddings->parameters());
  append(task_.backbone->parameters());
  return parameters;
}

Tensor HyperLlm::tag_loss(const Tensor& points, const Batch& batch) const {
  const std::int64_t items = task_.nodes.items;
  const objectives::Task tasks[] = {{batch.pairs.at(kTagItem), {0, items}},
                                    {batch.pairs.at(kTagTag), {items, points.size(0) - items}}};
  return task_.objective->loss(points, tasks, tags_->margin, task_.backbone->space());
}

Tensor HyperLlm::contrast(const Tensor& items, const Tensor& items_of_tags,
                          const std::vector<std::int32_t>& sample) const {
  const models::Space space = task_.backbone->space();
  if (sample.empty()) {
    std::vector<std::int64_t> same(items.size(0));
    std::iota(same.begin(), same.end(), std::int64_t{0});
    return objectives::contrast(items, items_of_tags, same, tags_->contrast_tau, space);
  }
  const double share = static_cast<double>(sample.size()) / static_cast<double>(items.size(0));
  const std::vector<std::int64_t> same(sample.begin(), sample.end());
  return objectives::contrast(manifold::gathered_rows(items, sample), items_of_tags, same,
                              tags_->contrast_tau, space) /
         share;
}

Tensor HyperLlm::loss(const Batch& batch, const models::Pass& pass) const {
  const std::int64_t users = task_.nodes.users, items = task_.nodes.items;
  const Pairs& user_item = batch.pairs.at(kUserItem);
  const Tensor e = embeddings_->tangents();
  if (!tags_) return task_.loss(e, task_.encode(e, pass), user_item, pass);  // (11), (13)
  const Tensor e_tag = tags_->embeddings->tangents();
  const std::vector<Tensor> nodes = manifold::row_ranges(
      manifold::stacked_rows(e, e_tag), {{0, users + items}, {users, items + e_tag.size(0)}});
  Tensor h = task_.encode(nodes[0], pass);                              // (13)
  Tensor h_tag = task_.backbone->encode(nodes[1], tags_->graph, pass);  // (14)
  Tensor aligned;
  if (tags_->contrast_weight > 0) {
    const std::vector<Tensor> of_users = manifold::row_ranges(h, {{0, users + items}, {users, items}}),
                              of_tags = manifold::row_ranges(h_tag, {{0, h_tag.size(0)}, {0, items}});
    static const std::vector<std::int32_t> kAll;
    aligned = contrast(of_users[1], of_tags[1], batch.rows.empty() ? kAll : batch.rows[kContrast]);
    h = of_users[0];
    h_tag = of_tags[0];
  }
  Tensor loss = task_.loss(nodes[0], h, user_item, pass);                 // L_ui
  loss = loss + tags_->loss_weight * tag_loss(h_tag, batch);              // L_tag
  if (aligned.defined()) loss = loss + tags_->contrast_weight * aligned;  // L_cl
  return loss;                                                            // (15)
}

void HyperLlm::parameters_changed() {
  embeddings_->parameters_changed();
  if (tags_) tags_->embeddings->parameters_changed();
}

Representations HyperLlm::representations() const {
  const torch::NoGradGuard no_grad;
  return task_.representations(embeddings_->tangents());
}

Tensor HyperLlm::tangents() const {
  const torch::NoGradGuard no_grad;
  return embeddings_->tangents().detach().clone();
}

std::string HyperLlm::first_non_finite() const {
  const torch::NoGradGuard no_grad;
  for (const optim::Parameter& parameter : parameters())
    if (const std::string found = non_finite_row(parameter.name, parameter.value); !found.empty())
      return found;
  const Tensor e = embeddings_->tangents();
  if (const std::string found = non_finite_row("tangents", e); !found.empty()) return found;
  return non_finite_row("representations", task_.encode(e, {}));
}

}  // namespace hyperllm::frameworks
