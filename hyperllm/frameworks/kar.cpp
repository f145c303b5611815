#include "hyperllm/frameworks/kar.h"

#include <utility>

namespace hyperllm::frameworks {
namespace {

using torch::Tensor;

Weights joined(const Weights& first, const Weights& second) {
  return {torch::cat({first.weight, second.weight}), torch::cat({first.bias, second.bias})};
}

// For concat both parts are as wide as the run's dimension, for split they share it.
std::pair<std::int64_t, std::int64_t> widths(std::int64_t dim, bool concat) {
  if (concat) return {dim, dim};
  HYPERLLM_CHECK(dim >= 2, ErrorCode::kInvalidArgument,
                 "option 'kar_join': split needs 'dim' of at least 2, one for either part");
  return {dim - dim / 2, dim / 2};
}

}  // namespace

Tensor expert_gates(const Tensor& semantic, const Weights& gate) {
  return torch::softmax(layer(semantic, gate.weight, gate.bias, 1), 1);
}

Tensor mixed_experts(const Tensor& semantic, const Experts& experts, const Tensor& gates, bool relu_last) {
  const std::int64_t count = gates.size(1);
  const Tensor hidden = layer(semantic, experts.hidden.weight, experts.hidden.bias, 0);
  const Tensor each = layer(hidden, experts.last.weight, experts.last.bias, relu_last ? 0 : 1, count);
  return torch::bmm(gates.unsqueeze(1), each.view({each.size(0), count, -1})).squeeze(1);
}

Adaptor::Adaptor(Tensor semantic, const models::Nodes& nodes, const AdaptorOptions& options,
                 const Random& random)
    : options_(options) {
  HYPERLLM_CHECK(
      options.experts >= 1 && options.shared_experts >= 0 && options.hidden >= 1 && options.dim >= 1,
      ErrorCode::kInvalidArgument, "kar: expected experts, hidden and dim >= 1 and shared_experts >= 0");
  Random seeds = random;
  const std::int64_t columns = semantic.size(1);
  const auto experts = [&](std::int64_t count) {
    return Experts{
        make_weights(count, options.hidden, columns, Xavier::kNormal, Random(seeds(), "hidden")),
        make_weights(count, options.dim, options.hidden, Xavier::kNormal, Random(seeds(), "last"))};
  };
  const auto side = [&](const Tensor& rows) {
    return Side{rows, experts(options.experts),
                make_weights(1, options.shared_experts + options.experts, columns, Xavier::kNormal,
                             Random(seeds(), "gate"))};
  };
  shared_ = experts(options.shared_experts);
  users_ = side(semantic.narrow(0, 0, nodes.users));
  items_ = side(semantic.narrow(0, nodes.users, nodes.items));
}

Tensor Adaptor::rows_of(const Side& side) const {
  const Experts all = {joined(shared_.hidden, side.experts.hidden), joined(shared_.last, side.experts.last)};
  return mixed_experts(side.semantic, all, expert_gates(side.semantic, side.gate), options_.relu_last);
}

Tensor Adaptor::rows() const { return torch::cat({rows_of(users_), rows_of(items_)}); }

std::vector<optim::Parameter> Adaptor::parameters() const {
  std::vector<optim::Parameter> all;
  const auto append = [&](const std::string& name, const Weights& weights) {
    for (optim::Parameter& parameter : weights.parameters(name, options_.step))
      all.push_back(std::move(parameter));
  };
  if (options_.shared_experts > 0) {
    append("kar.shared.hidden", shared_.hidden);
    append("kar.shared.last", shared_.last);
  }
  for (const auto& [name, side] : {std::pair("kar.users", &users_), std::pair("kar.items", &items_)}) {
    append(std::string(name) + ".hidden", side->experts.hidden);
    append(std::string(name) + ".last", side->experts.last);
    append(std::string(name) + ".gate", side->gate);
  }
  return all;
}

Kar::Kar(UserItemTask task, std::shared_ptr<const data::Csr> train, std::unique_ptr<Embeddings> embeddings,
         Adaptor adaptor)
    : task_(std::move(task)),
      train_(std::move(train)),
      embeddings_(std::move(embeddings)),
      adaptor_(std::move(adaptor)) {}

Draws Kar::draws() const { return {{user_item_draws(train_, task_.objective->candidates())}, {}}; }

std::vector<optim::Parameter> Kar::parameters() const {
  return all_parameters(*embeddings_, adaptor_.parameters(), *task_.backbone);
}

Tensor Kar::tangents() const { return torch::cat({embeddings_->tangents(), adaptor_.rows()}, 1); }

Tensor Kar::loss(const Batch& batch, const models::Pass& pass) const {
  const Tensor x = tangents();
  return task_.loss(x, task_.encode(x, pass), batch.pairs.at(0), pass);
}

Representations Kar::representations() const {
  const torch::NoGradGuard no_grad;
  return task_.representations(tangents());
}

FieldList KarMethod::fields() {
  FieldList all = {
      {"experts", &experts, "experts of the users, and as many of the items", within(1, 256)},
      {"shared_experts", &shared_experts, "experts of both", within(0, 256)},
      {"hidden", &hidden, "hidden units of an expert", within(1, 65536)},
      {"join",
       &join,
       "concat: ID embeddings and the experts' vectors have 'dim' columns each, representations twice as "
       "many; split: they share 'dim' columns",
       {"concat", "split"}},
      {"relu_last", &relu_last, "experts end in a ReLU, as in KAR's own code"},
  };
  own.add_fields(all);
  return all;
}

Needs KarMethod::needs(const std::filesystem::path& embeddings) const {
  Needs needs;
  needs.embeddings = embeddings;
  needs.width = join == "concat" ? 2 : 1;
  return needs;
}

std::int64_t KarMethod::step_bytes(const StepShape& shape) const {
  const std::int64_t nodes = shape.nodes.users + shape.nodes.items, active = experts + shared_experts,
                     out = join == "concat" ? shape.dim : shape.dim / 2,
                     weights = (2 * experts + shared_experts) * hidden * (shape.semantic_dim + out);
  // Hidden units and outputs with their gradients; the semantic embeddings; weights and their moments.
  return 4 * (nodes * (active * (3 * hidden + 3 * out) + shape.semantic_dim) + 5 * weights);
}

std::vector<Phase> KarMethod::phases(const Materials& materials) const {
  const auto [id_dim, adaptor_dim] = widths(materials.dim, join == "concat");
  AdaptorOptions options{experts, shared_experts, hidden, adaptor_dim, relu_last, own.step()};
  return {only_phase(materials, [materials, options, id_dim = id_dim](Storage storage) {
    return std::make_unique<Kar>(
        materials.task(materials.margin, materials.objective), materials.train,
        random_table(materials, id_dim, storage),
        Adaptor(materials.semantic(), materials.nodes(), options, Random(materials.seed, "kar")));
  })};
}

void add_kar(Registry<Method>& to) {
  to.add("kar", "ID embeddings joined to semantic ones that a mixture of experts transforms", KarMethod());
}

}  // namespace hyperllm::frameworks
