#include "hyperllm/frameworks/embeddings.h"

#include <torch/csrc/autograd/custom_function.h>

#include <cmath>

#include "hyperllm/kernels/moe.h"
#include "hyperllm/manifold/fused.h"

namespace hyperllm::frameworks {
namespace {

using manifold::const_floats;
using manifold::floats;
using torch::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

class Table : public Embeddings {
 public:
  Table(std::string name, const Tensor& tangents, Storage storage, manifold::Curvature curvature)
      : name_(std::move(name)), curvature_(curvature) {
    const double no_cap = std::numeric_limits<double>::infinity();
    const torch::NoGradGuard no_grad;
    if (storage == Storage::kPoints) points_ = manifold::expmap0_rows(tangents, curvature, no_cap);
    tangents_ = tangents.detach().clone(at::MemoryFormat::Contiguous);
    parameters_changed();
    tangents_.requires_grad_(true);
  }

  std::vector<optim::Parameter> parameters() const override {
    if (points_.defined()) return {{name_, points_, optim::Space::kLorentz, tangents_}};
    return {{name_, tangents_, optim::Space::kEuclidean}};
  }

  Tensor tangents() const override { return tangents_; }

  void parameters_changed() override {
    if (!points_.defined()) return;
    const torch::NoGradGuard no_grad;
    tangents_.copy_(manifold::logmap0_rows(points_, curvature_));
  }

  void lie_in(const Tensor& place) override {
    const torch::NoGradGuard no_grad;
    place.copy_(tangents_);
    tangents_.set_data(place);
  }

 private:
  std::string name_;
  manifold::Curvature curvature_;
  Tensor points_;    // if the parameters are points of the hyperboloid
  Tensor tangents_;  // the leaf
};

kernels::MoeShape moe_shape(const Tensor& semantic, std::int64_t experts, std::int64_t dim) {
  return {semantic.size(0), semantic.size(1), experts, dim};
}

struct MoeFunction : public torch::autograd::Function<MoeFunction> {
  static Tensor forward(AutogradContext* context, const Tensor& semantic, const Tensor& weights,
                        const Tensor& bias, std::int64_t experts, std::int64_t dim) {
    const kernels::MoeShape shape = moe_shape(semantic, experts, dim);
    Tensor activations = torch::empty({shape.rows, shape.stacked()}), x = torch::empty({shape.rows, dim});
    kernels::moe_forward(shape, const_floats(semantic), const_floats(weights), const_floats(bias),
                         floats(activations), floats(x));
    context->save_for_backward({semantic, weights, activations});
    context->saved_data["experts"] = experts;
    context->saved_data["dim"] = dim;
    context->saved_data["with_semantic"] = semantic.requires_grad();
    return x;
  }
  static variable_list backward(AutogradContext* context, variable_list grads) {
    const variable_list saved = context->get_saved_variables();
    const Tensor grad = grads[0].contiguous();
    const kernels::MoeShape shape =
        moe_shape(saved[0], context->saved_data["experts"].toInt(), context->saved_data["dim"].toInt());
    Tensor activations = saved[2].clone();
    Tensor grad_weights = torch::empty_like(saved[1]), grad_bias = torch::empty({shape.stacked()}),
           grad_semantic;
    if (context->saved_data["with_semantic"].toBool()) grad_semantic = torch::empty_like(saved[0]);
    kernels::moe_backward(shape, const_floats(saved[0]), const_floats(saved[1]), const_floats(grad),
                          floats(activations), floats(grad_weights), floats(grad_bias),
                          grad_semantic.defined() ? floats(grad_semantic) : std::span<float>());
    return {grad_semantic, grad_weights, grad_bias, Tensor(), Tensor()};
  }
};

class Moe : public Embeddings {
 public:
  Moe(const Tensor& semantic, const MoeOptions& options, Random random) : options_(options) {
    HYPERLLM_CHECK(options.experts >= 1 && options.dim >= 1, ErrorCode::kInvalidArgument,
                   "mixture of experts: expected experts >= 1 and dim >= 1");
    semantic_ = semantic.contiguous().clone().requires_grad_(options.tune_semantic);
    const std::int64_t stacked = options.experts * (options.dim + 1);
    const double scale = 1 / std::sqrt(static_cast<double>(semantic.size(1)));
    weights_ =
        uniform_tangents(stacked, semantic.size(1), scale, Random(random(), "weights")).requires_grad_(true);
    bias_ =
        uniform_tangents(stacked, 1, scale, Random(random(), "bias")).view({stacked}).requires_grad_(true);
  }

  std::vector<optim::Parameter> parameters() const override {
    std::vector<optim::Parameter> parameters = {{"moe.weights", weights_}, {"moe.bias", bias_}};
    if (options_.tune_semantic) parameters.push_back({"semantic", semantic_});
    return parameters;
  }

  Tensor tangents() const override {
    if (manifold::use_kernel(semantic_))
      return MoeFunction::apply(semantic_, weights_, bias_, options_.experts, options_.dim);
    const Tensor z = torch::addmm(bias_, semantic_, weights_.t());
    const Tensor gate = torch::softmax(z.narrow(1, 0, options_.experts), 1).unsqueeze(2);  // (9)
    const Tensor experts = z.narrow(1, options_.experts, options_.experts * options_.dim)
                               .view({-1, options_.experts, options_.dim});  // (10)
    return (gate * experts).sum(1);                                          // (8)
  }

 private:
  MoeOptions options_;
  Tensor semantic_, weights_, bias_;
};

}  // namespace

std::unique_ptr<Embeddings> make_table(std::string name, const Tensor& tangents, Storage storage,
                                       manifold::Curvature curvature) {
  return std::make_unique<Table>(std::move(name), tangents, storage, curvature);
}

std::unique_ptr<Embeddings> make_moe(const Tensor& semantic, const MoeOptions& options, Random random) {
  return std::make_unique<Moe>(semantic, options, random);
}

Tensor uniform_tangents(std::int64_t rows, std::int64_t dim, double scale, Random random) {
  Tensor values = torch::empty({rows, dim});
  for (float& value : floats(values)) value = static_cast<float>(random.uniform(-scale, scale));
  return values;
}

}  // namespace hyperllm::frameworks
