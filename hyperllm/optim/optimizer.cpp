#include "hyperllm/optim/optimizer.h"

#include <algorithm>

#include "hyperllm/kernels/elementwise.h"
#include "hyperllm/kernels/lorentz_rows.h"
#include "hyperllm/manifold/fused.h"

namespace hyperllm::optim {
namespace {

using manifold::const_floats;
using manifold::floats;
using torch::Tensor;

Tensor gradient(const Parameter& parameter) {
  const Tensor grad = parameter.leaf().grad();
  return grad.defined() ? grad.contiguous() : torch::zeros_like(parameter.value, torch::requires_grad(false));
}

class RiemannianSgd : public Optimizer {
 public:
  RiemannianSgd(std::vector<Parameter> parameters, const OptimizerOptions& options)
      : Optimizer(std::move(parameters)), options_(options) {
    for (const Parameter& parameter : parameters_)
      buffers_.push_back(torch::zeros_like(parameter.value).detach());
  }

  void step() override {
    if (++steps_ == 1 && options_.momentum_from_gradient)
      for (std::size_t i = 0; i < parameters_.size(); ++i) start_buffer(parameters_[i], buffers_[i]);
    const kernels::RsgdStep step{options_.lr, options_.momentum, options_.weight_decay, options_.max_radius};
    for (std::size_t i = 0; i < parameters_.size(); ++i) {
      const Tensor grad = gradient(parameters_[i]);
      Tensor& value = parameters_[i].value;
      if (Tensor& tangents = parameters_[i].tangents; tangents.defined()) {
        kernels::lorentz_rsgd_of_tangents(floats(value), floats(tangents), const_floats(grad),
                                          floats(buffers_[i]), value.size(1), options_.curvature.c, step);
      } else if (parameters_[i].space == Space::kLorentz) {
        kernels::lorentz_rsgd(floats(value), const_floats(grad), floats(buffers_[i]), value.size(1),
                              options_.curvature.c, step);
      } else {
        kernels::sgd(floats(value), const_floats(grad), floats(buffers_[i]), options_.lr, options_.momentum,
                     options_.weight_decay);
      }
    }
  }

  NamedTensors state() override {
    NamedTensors tensors;
    for (std::size_t i = 0; i < parameters_.size(); ++i)
      tensors.emplace_back("momentum/" + parameters_[i].name, buffers_[i]);
    return tensors;
  }

 private:
  void start_buffer(const Parameter& parameter, Tensor& buffer) const {
    const Tensor grad = gradient(parameter);
    if (parameter.tangents.defined()) {
      kernels::logmap0_backward(const_floats(parameter.value), const_floats(grad), grad.size(1),
                                options_.curvature.c, floats(buffer));
    } else {
      buffer.copy_(grad);
    }
  }

  OptimizerOptions options_;
  std::vector<Tensor> buffers_;
};

class Adam : public Optimizer {
 public:
  Adam(std::vector<Parameter> parameters, const OptimizerOptions& options)
      : Optimizer(std::move(parameters)), options_(options) {
    for (const Parameter& parameter : parameters_) {
      HYPERLLM_CHECK(parameter.space == Space::kEuclidean, ErrorCode::kInvalidArgument,
                     "[adam] '" + parameter.name + "' holds points of a manifold; give Adam tangent vectors");
      first_.push_back(torch::zeros_like(parameter.value).detach());
      second_.push_back(torch::zeros_like(parameter.value).detach());
    }
  }

  void step() override {
    kernels::AdamStep step;
    step.lr = options_.lr;
    step.weight_decay = options_.weight_decay;
    step.t = ++steps_;
    for (std::size_t i = 0; i < parameters_.size(); ++i) {
      const Tensor grad = gradient(parameters_[i]);
      kernels::adam(floats(parameters_[i].value), const_floats(grad), floats(first_[i]), floats(second_[i]),
                    step);
    }
  }

  NamedTensors state() override {
    NamedTensors tensors;
    for (std::size_t i = 0; i < parameters_.size(); ++i) {
      tensors.emplace_back("first/" + parameters_[i].name, first_[i]);
      tensors.emplace_back("second/" + parameters_[i].name, second_[i]);
    }
    return tensors;
  }

 private:
  OptimizerOptions options_;
  std::vector<Tensor> first_, second_;
};

// Several optimizers, each for the parameters that have its steps.
class Grouped : public Optimizer {
 public:
  Grouped(std::vector<Parameter> all, std::vector<std::unique_ptr<Optimizer>> parts)
      : Optimizer(std::move(all)), parts_(std::move(parts)) {}

  void step() override {
    ++steps_;
    for (const auto& part : parts_) part->step();
  }
  void set_steps(std::int64_t steps) override {
    steps_ = steps;
    for (const auto& part : parts_) part->set_steps(steps);
  }
  NamedTensors state() override {
    NamedTensors all;
    for (const auto& part : parts_)
      for (auto& named : part->state()) all.push_back(std::move(named));
    return all;
  }

 private:
  std::vector<std::unique_ptr<Optimizer>> parts_;
};

bool same_step(const std::optional<OwnStep>& a, const std::optional<OwnStep>& b) {
  if (!a || !b) return !a && !b;
  return a->method == b->method && a->lr == b->lr && a->weight_decay == b->weight_decay;
}

std::unique_ptr<Optimizer> make_part(std::vector<Parameter> parameters, OptimizerOptions options) {
  if (const std::optional<OwnStep>& own = parameters.front().own) {
    options.method = own->method;
    options.lr = own->lr;
    options.weight_decay = own->weight_decay;
    for (Parameter& parameter : parameters) parameter.own.reset();
  }
  return make_optimizer(std::move(parameters), options);
}

}  // namespace

void Optimizer::zero_grad() {
  for (Parameter& parameter : parameters_) parameter.leaf().mutable_grad() = Tensor();
}

std::unique_ptr<Optimizer> make_optimizer(std::vector<Parameter> parameters,
                                          const OptimizerOptions& options) {
  HYPERLLM_CHECK(options.lr > 0 && options.momentum >= 0 && options.momentum < 1 && options.weight_decay >= 0,
                 ErrorCode::kInvalidArgument,
                 "optimizer: expected lr > 0, momentum in [0, 1) and weight_decay >= 0");
  std::vector<std::vector<Parameter>> groups;
  for (const Parameter& parameter : parameters) {
    const auto found = std::find_if(groups.begin(), groups.end(), [&](const std::vector<Parameter>& group) {
      return same_step(group.front().own, parameter.own);
    });
    if (found == groups.end())
      groups.push_back({parameter});
    else
      found->push_back(parameter);
  }
  if (groups.size() > 1 || (!groups.empty() && groups[0][0].own)) {
    std::vector<std::unique_ptr<Optimizer>> parts;
    for (std::vector<Parameter>& group : groups) parts.push_back(make_part(std::move(group), options));
    return std::make_unique<Grouped>(std::move(parameters), std::move(parts));
  }
  if (options.method == "rsgd") return std::make_unique<RiemannianSgd>(std::move(parameters), options);
  if (options.method == "adam") return std::make_unique<Adam>(std::move(parameters), options);
  throw Error(ErrorCode::kInvalidArgument,
              "optimizer: expected one of rsgd, adam, got '" + options.method + "'");
}

}  // namespace hyperllm::optim
