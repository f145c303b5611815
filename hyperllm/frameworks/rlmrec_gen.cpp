#include "hyperllm/frameworks/rlmrec_gen.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "hyperllm/manifold/fused.h"
#include "hyperllm/manifold/row_ranges.h"

namespace hyperllm::frameworks {
namespace {

using torch::Tensor;

std::int64_t masked_count(double ratio, std::int64_t nodes) {
  if (ratio == 0) return 0;
  return std::max<std::int64_t>(1, static_cast<std::int64_t>(std::floor(ratio * static_cast<double>(nodes))));
}

// `count` of the places [0, size), uniform, without repetition, ascending; all of them for count 0.
std::vector<std::int32_t> sampled_places(std::int64_t size, std::int64_t count, Random random) {
  std::vector<std::int32_t> places(size);
  std::iota(places.begin(), places.end(), 0);
  if (count == 0 || count >= size) return places;
  random.shuffle_front(std::span(places), static_cast<std::size_t>(count));
  places.resize(count);
  std::sort(places.begin(), places.end());
  return places;
}

}  // namespace

Tensor masked_rows(const Tensor& e, const Tensor& token, const std::vector<std::int32_t>& masked) {
  Tensor mask = torch::zeros({e.size(0), 1}, e.options().requires_grad(false));
  mask.index_fill_(0, torch::tensor(masked, torch::kInt).to(torch::kLong), 1);
  return torch::addmm(e * (1 - mask), mask, token);
}

RlmrecGen::RlmrecGen(UserItemTask task, std::shared_ptr<const data::Csr> train,
                     std::unique_ptr<Embeddings> embeddings, Tensor semantic, std::int64_t dim,
                     const ReconstructionOptions& options, const Random& random)
    : task_(std::move(task)),
      train_(std::move(train)),
      embeddings_(std::move(embeddings)),
      semantic_(semantic.contiguous()),
      token_(torch::zeros({1, dim}, torch::requires_grad(true))),
      options_(options),
      mlp_(dim, semantic_.size(1), random) {}

Draws RlmrecGen::draws() const {
  const std::int64_t nodes = semantic_.size(0);
  return {{user_item_draws(train_, task_.objective->candidates())},
          {{"masked nodes", nodes, masked_count(options_.ratio, nodes)}}};
}

std::vector<optim::Parameter> RlmrecGen::parameters() const {
  std::vector<optim::Parameter> added = mlp_.parameters("rlmrec_gen", options_.step);
  added.push_back({.name = "rlmrec_gen.token", .value = token_, .own = options_.step});
  return all_parameters(*embeddings_, std::move(added), *task_.backbone);
}

Tensor RlmrecGen::outputs(const Tensor& points) const {
  const models::Space space = task_.backbone->space();
  if (space.geometry == models::Geometry::kEuclidean) return points;
  return space.geometry == models::Geometry::kLorentz ? manifold::logmap0_rows(points, space.curvature)
                                                      : manifold::ball_logmap0_rows(points, space.curvature);
}

Tensor RlmrecGen::reconstruction(const Tensor& points, const std::vector<std::int32_t>& masked,
                                 const models::Pass& pass) const {
  const std::vector<std::int32_t> places =
      sampled_places(std::ssize(masked), options_.rows, pass.random("reconstructed nodes"));
  std::vector<std::int32_t> nodes;
  for (const std::int32_t place : places) nodes.push_back(masked[place]);
  return info_nce(mlp_(outputs(manifold::gathered_rows(points, nodes))),
                  manifold::gathered_rows(semantic_, masked), places, options_.tau) /
         static_cast<double>(places.size());
}

Tensor RlmrecGen::loss(const Batch& batch, const models::Pass& pass) const {
  const Pairs& pairs = batch.pairs.at(0);
  const Tensor e = embeddings_->tangents();
  if (batch.rows.empty() || batch.rows[0].empty()) return task_.loss(e, task_.encode(e, pass), pairs, pass);
  const std::vector<std::int32_t>& masked = batch.rows[0];
  const Tensor x = masked_rows(e, token_, masked), h = task_.encode(x, pass);
  if (options_.weight == 0) return task_.loss(x, h, pairs, pass);
  const std::vector<Tensor> uses = manifold::row_ranges(h, {{0, h.size(0)}, {0, h.size(0)}});
  return task_.loss(x, uses[0], pairs, pass) +
         options_.weight * static_cast<double>(pairs.size()) * reconstruction(uses[1], masked, pass);
}

Representations RlmrecGen::representations() const {
  const torch::NoGradGuard no_grad;
  return task_.representations(embeddings_->tangents());
}

FieldList RlmrecGenMethod::fields() {
  FieldList all = {
      {"ratio", &ratio, "share of the nodes that a step masks; 0: none", within(0, 0.95)},
      {"weight", &weight, "of the reconstruction, whose mean counts once a pair; 0 leaves it out",
       within(0, 1e6)},
      {"tau", &tau, "temperature of the reconstruction", above(0, 1e4)},
      {"rows", &rows,
       "masked nodes drawn for a step's reconstruction, each against all masked ones, without bias; 0: all",
       within(0, 2147483647)},
  };
  own.add_fields(all);
  return all;
}

Needs RlmrecGenMethod::needs(const std::filesystem::path& embeddings) const {
  Needs needs;
  needs.embeddings = embeddings;
  return needs;
}

std::int64_t RlmrecGenMethod::step_bytes(const StepShape& shape) const {
  const std::int64_t nodes = shape.nodes.users + shape.nodes.items, masked = masked_count(ratio, nodes),
                     taken = rows > 0 ? std::min(rows, masked) : masked;
  // Semantic embeddings; the masked ones twice; the perceptron's rows; logits with gradients.
  return 4 *
         ((nodes + 3 * masked + 6 * taken) * shape.semantic_dim + 4 * taken * masked + 2 * nodes * shape.dim);
}

std::vector<Phase> RlmrecGenMethod::phases(const Materials& materials) const {
  const ReconstructionOptions options{ratio, weight, tau, rows, own.step()};
  return {only_phase(materials, [materials, options](Storage storage) {
    return std::make_unique<RlmrecGen>(materials.task(materials.margin, materials.objective), materials.train,
                                       random_table(materials, materials.dim, storage), materials.semantic(),
                                       materials.dim, options, Random(materials.seed, "rlmrec_gen"));
  })};
}

void add_rlmrec_gen(Registry<Method>& to) {
  to.add("rlmrec_gen", "masked nodes reconstruct their semantic embeddings", RlmrecGenMethod());
}

}  // namespace hyperllm::frameworks
