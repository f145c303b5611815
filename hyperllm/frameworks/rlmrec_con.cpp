#include "hyperllm/frameworks/rlmrec_con.h"

#include <algorithm>
#include <numeric>

#include "hyperllm/manifold/row_ranges.h"

namespace hyperllm::frameworks {
namespace {

using torch::Tensor;

std::vector<std::int32_t> numbered(std::int64_t count) {
  std::vector<std::int32_t> ids(count);
  std::iota(ids.begin(), ids.end(), 0);
  return ids;
}

}  // namespace

Occurrences occurrences(std::vector<std::int32_t> nodes) {
  std::sort(nodes.begin(), nodes.end());
  Occurrences found;
  for (const std::int32_t node : nodes) {
    if (found.node.empty() || found.node.back() != node) {
      found.node.push_back(node);
      found.count.push_back(0);
    }
    ++found.count.back();
  }
  return found;
}

std::vector<Occurrences> aligned_sides(const Pairs& pairs) {
  std::vector<Occurrences> sides = {occurrences(pairs.anchor), occurrences(pairs.positive)};
  if (pairs.candidates.empty()) return sides;
  std::vector<std::int32_t> negatives;
  for (std::int64_t pair = 0; pair < pairs.size(); ++pair)
    negatives.push_back(pairs.candidates[pair * pairs.per_pair]);
  sides.push_back(occurrences(std::move(negatives)));
  return sides;
}

RlmrecCon::RlmrecCon(UserItemTask task, std::shared_ptr<const data::Csr> train,
                     std::unique_ptr<Embeddings> embeddings, Tensor semantic, std::int64_t dim,
                     const AlignmentOptions& options, const Random& random)
    : task_(std::move(task)),
      train_(std::move(train)),
      embeddings_(std::move(embeddings)),
      semantic_(semantic.contiguous()),
      options_(options),
      mlp_(semantic_.size(1), dim, random) {}

Draws RlmrecCon::draws() const { return {{user_item_draws(train_, task_.objective->candidates())}, {}}; }

std::vector<optim::Parameter> RlmrecCon::parameters() const {
  return all_parameters(*embeddings_, mlp_.parameters("rlmrec_con", options_.step), *task_.backbone);
}

Tensor RlmrecCon::alignment(const Tensor& points, const std::vector<Occurrences>& sides) const {
  std::vector<std::int32_t> nodes;
  std::vector<manifold::RowRange> ranges;
  for (const Occurrences& side : sides) {
    ranges.push_back({std::ssize(nodes), std::ssize(side.node)});
    nodes.insert(nodes.end(), side.node.begin(), side.node.end());
  }
  const std::vector<Tensor> z = manifold::row_ranges(manifold::gathered_rows(points, nodes), ranges),
                            p = manifold::row_ranges(mlp_(manifold::gathered_rows(semantic_, nodes)), ranges);
  Tensor sum;
  for (std::size_t i = 0; i < sides.size(); ++i) {
    const bool against_all = i == 0 && options_.all_users;
    const Tensor term = against_all ? info_nce(z[i], mlp_(semantic_.narrow(0, 0, task_.nodes.users)),
                                               sides[i].node, options_.tau, sides[i].count)
                                    : info_nce(z[i], p[i], numbered(z[i].size(0)), options_.tau,
                                               sides[i].count, sides[i].count);
    sum = sum.defined() ? sum + term : term;
  }
  return sum;
}

Tensor RlmrecCon::loss(const Batch& batch, const models::Pass& pass) const {
  const Pairs& pairs = batch.pairs.at(0);
  const Tensor e = embeddings_->tangents(), h = task_.encode(e, pass);
  if (options_.weight == 0) return task_.loss(e, h, pairs, pass);
  const std::vector<Tensor> uses = manifold::row_ranges(h, {{0, h.size(0)}, {0, h.size(0)}});
  return task_.loss(e, uses[0], pairs, pass) + options_.weight * alignment(uses[1], aligned_sides(pairs));
}

Representations RlmrecCon::representations() const {
  const torch::NoGradGuard no_grad;
  return task_.representations(embeddings_->tangents());
}

FieldList RlmrecConMethod::fields() {
  FieldList all = {
      {"weight", &weight, "of the alignment, a sum over the batch; 0 leaves it out", within(0, 1e6)},
      {"tau", &tau, "temperature of the alignment", above(0, 1e4)},
      {"users",
       &users,
       "a user is told apart from the batch's users, or from all, which takes long",
       {"batch", "all"}},
  };
  own.add_fields(all);
  return all;
}

Needs RlmrecConMethod::needs(const std::filesystem::path& embeddings) const {
  Needs needs;
  needs.embeddings = embeddings;
  return needs;
}

std::int64_t RlmrecConMethod::step_bytes(const StepShape& shape) const {
  const std::int64_t middle = (shape.semantic_dim + shape.dim) / 2,
                     rows = std::min(shape.batch_size, shape.nodes.users),
                     items = std::min(shape.batch_size, shape.nodes.items),
                     projected = rows + 2 * items + (users == "all" ? shape.nodes.users : 0);
  // Semantic embeddings; rows through the perceptron; what the contrasts keep.
  return 4 * ((shape.nodes.users + shape.nodes.items) * shape.semantic_dim +
              projected * (shape.semantic_dim + 4 * middle) +
              rows * (users == "all" ? shape.nodes.users : rows) + 2 * items * items);
}

std::vector<Phase> RlmrecConMethod::phases(const Materials& materials) const {
  const AlignmentOptions options{weight, tau, users == "all", own.step()};
  return {only_phase(materials, [materials, options](Storage storage) {
    return std::make_unique<RlmrecCon>(materials.task(materials.margin, materials.objective), materials.train,
                                       random_table(materials, materials.dim, storage), materials.semantic(),
                                       materials.dim, options, Random(materials.seed, "rlmrec_con"));
  })};
}

void add_rlmrec_con(Registry<Method>& to) {
  to.add("rlmrec_con", "representations aligned with semantic embeddings by a contrastive loss", RlmrecConMethod());
}

}  // namespace hyperllm::frameworks
