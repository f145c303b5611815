// Riemannian SGD and Adam over named parameters, with a state that can be stored and restored.
#pragma once

#include <torch/types.h>

#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "hyperllm/manifold/curvature.h"

namespace hyperllm::optim {

enum class Space {
  kEuclidean,
  kLorentz,  // rows are points of the hyperboloid in space coordinates
};

// How a parameter is stepped where it is not as the run's others are: weights that a framework adds to a
// model. As in OptimizerOptions.
struct OwnStep {
  std::string method = "adam";
  double lr = 1e-3;
  double weight_decay = 0;
};

// `value`: a leaf tensor, float32 and contiguous, with requires_grad set. Losses are differentiated in it,
// or, for kLorentz where `tangents` is given, in that leaf, which is logmap0(value): the optimizer reads the
// gradient there and keeps both in step, so that the map needs no pass of its own. Whoever writes into
// `value` restores that (frameworks::HyperLlm::parameters_changed).
struct Parameter {
  std::string name;
  torch::Tensor value;
  Space space = Space::kEuclidean;
  torch::Tensor tangents = {};
  std::optional<OwnStep> own = {};

  const torch::Tensor& leaf() const { return tangents.defined() ? tangents : value; }
};

using NamedTensors = std::vector<std::pair<std::string, torch::Tensor>>;

struct OptimizerOptions {
  std::string method = "rsgd";  // "rsgd" | "adam"
  double lr = 1e-3;             // > 0
  double momentum = 0.95;       // rsgd; [0, 1)
  // rsgd: start the momentum buffer at the first Euclidean gradient, as geoopt and so the released code do
  // (the first gradient then counts about twice), instead of at zero.
  bool momentum_from_gradient = false;
  double weight_decay = 5e-4;                                   // >= 0, added to the Euclidean gradient
  double max_radius = std::numeric_limits<double>::infinity();  // cap on the length of one retraction step
  manifold::Curvature curvature;
};

class Optimizer {
 public:
  explicit Optimizer(std::vector<Parameter> parameters) : parameters_(std::move(parameters)) {}
  virtual ~Optimizer() = default;

  // One update from the gradients; a parameter without one counts as gradient 0.
  virtual void step() = 0;
  // The tensors that, with `steps`, make up the state; they alias it, so copying into them restores it.
  virtual NamedTensors state() = 0;

  void zero_grad();
  const std::vector<Parameter>& parameters() const { return parameters_; }
  std::int64_t steps() const { return steps_; }
  virtual void set_steps(std::int64_t steps) { steps_ = steps; }

 protected:
  std::vector<Parameter> parameters_;
  std::int64_t steps_ = 0;
};

// Parameters with a step of their own are stepped so; the options say how the others are, and the momentum of
// all. Throws kInvalidArgument: unknown method, values out of range, Adam on points of a manifold (give it tangent
// vectors).
std::unique_ptr<Optimizer> make_optimizer(std::vector<Parameter> parameters, const OptimizerOptions& options);

}  // namespace hyperllm::optim
