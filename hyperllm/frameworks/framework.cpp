#include "hyperllm/frameworks/framework.h"

#include <algorithm>

#include "hyperllm/kernels/elementwise.h"
#include "hyperllm/manifold/fused.h"

namespace hyperllm::frameworks {

using torch::Tensor;

Draws::OfPairs user_item_draws(std::shared_ptr<const data::Csr> train, std::int64_t candidates) {
  const auto users = static_cast<std::int32_t>(train->rows);
  return {.name = "user-item",
          .positives = train,
          .known = train,
          .anchor_offset = 0,
          .column_offset = users,
          .candidates = candidates};
}

std::string non_finite_row(const std::string& name, const Tensor& tensor) {
  const Tensor values = tensor.detach().contiguous();
  const std::int64_t at = kernels::first_non_finite(manifold::const_floats(values));
  return at < 0
             ? ""
             : "tensor " + name + ", row " + std::to_string(at / std::max<std::int64_t>(values.size(-1), 1));
}

std::string Framework::first_non_finite() const {
  for (const optim::Parameter& parameter : parameters())
    if (const std::string found = non_finite_row(parameter.name, parameter.value); !found.empty())
      return found;
  const Representations points = representations();
  const std::string found = non_finite_row("representations of users", points.users);
  return found.empty() ? non_finite_row("representations of items", points.items) : found;
}

Tensor UserItemTask::loss(const Tensor& tangents, const Tensor& points, const Pairs& pairs,
                          const models::Pass& pass) const {
  const objectives::Task task{pairs, {nodes.users, nodes.items}};
  const Tensor loss = objective->loss(points, {&task, 1}, margin, backbone->space());
  const Tensor own = backbone->auxiliary_loss({tangents, points, graph, nodes, pairs}, pass);
  return own.defined() ? loss + own : loss;
}

Representations UserItemTask::representations(const Tensor& tangents) const {
  const torch::NoGradGuard no_grad;
  const Tensor h = encode(tangents, {});
  return {h.narrow(0, 0, nodes.users).contiguous(), h.narrow(0, nodes.users, nodes.items).contiguous(),
          backbone->space(), models::saturation(h, backbone->space(), backbone->cap())};
}

}  // namespace hyperllm::frameworks
