#include "hyperllm/frameworks/embeddings.h"

#include <torch/csrc/autograd/custom_function.h>

#include <cmath>

#include "hyperllm/kernels/bfloat16.h"
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

// Memory for results, used again once nobody else holds what was handed out.
class Recycled {
 public:
  Tensor get(at::IntArrayRef sizes) {
    if (!storage_.defined() || storage_.sizes() != sizes || storage_.storage().use_count() > 1)
      storage_ = torch::empty(sizes);
    return storage_.detach();
  }

 private:
  Tensor storage_;
};

// What all passes through one mixture share.
struct MoeState : torch::CustomClassHolder {
  MoeState(const Tensor& semantic, const MoeOptions& options, const kernels::PanelEngine& with)
      : shape{semantic.size(0), semantic.size(1), options.experts, options.dim},
        engine(with),
        inputs(const_floats(semantic), shape.rows, shape.input, with) {}
  kernels::MoeShape shape;
  const kernels::PanelEngine& engine;
  kernels::MoeInputs inputs;
  Recycled x, grad_weights, grad_bias, grad_semantic;
};

struct MoeBuffers : torch::CustomClassHolder {
  explicit MoeBuffers(const MoeState& state) : kernel(state.shape, state.engine) {}
  kernels::Moe kernel;
};

struct MoeFunction : public torch::autograd::Function<MoeFunction> {
  static Tensor forward(AutogradContext* context, const Tensor& semantic, const Tensor& weights,
                        const Tensor& bias, const c10::intrusive_ptr<MoeState>& state,
                        const c10::intrusive_ptr<MoeBuffers>& buffers, bool keep) {
    Tensor x = state->x.get({state->shape.rows, state->shape.output});
    buffers->kernel.forward(state->inputs, const_floats(weights), const_floats(bias), floats(x), keep);
    if (keep) {
      context->save_for_backward({semantic, weights});
      context->saved_data["state"] = at::IValue::make_capsule(state);
      context->saved_data["buffers"] = at::IValue::make_capsule(buffers);
      context->saved_data["with_semantic"] = semantic.requires_grad();
    }
    return x;
  }
  static variable_list backward(AutogradContext* context, variable_list grads) {
    const variable_list saved = context->get_saved_variables();
    const auto state = c10::static_intrusive_pointer_cast<MoeState>(context->saved_data["state"].toCapsule());
    const auto buffers =
        c10::static_intrusive_pointer_cast<MoeBuffers>(context->saved_data["buffers"].toCapsule());
    const Tensor grad = grads[0].contiguous();
    Tensor grad_weights = state->grad_weights.get(saved[1].sizes()),
           grad_bias = state->grad_bias.get({state->shape.stacked()}), grad_semantic;
    if (context->saved_data["with_semantic"].toBool())
      grad_semantic = state->grad_semantic.get(saved[0].sizes());
    buffers->kernel.backward(state->inputs, const_floats(saved[1]), const_floats(grad), floats(grad_weights),
                             floats(grad_bias),
                             grad_semantic.defined() ? floats(grad_semantic) : std::span<float>());
    return {grad_semantic, grad_weights, grad_bias, Tensor(), Tensor(), Tensor()};
  }
};

class Moe : public Embeddings {
 public:
  Moe(const Tensor& semantic, const MoeOptions& options, Random random) : options_(options) {
    HYPERLLM_CHECK(options.experts >= 1 && options.dim >= 1, ErrorCode::kInvalidArgument,
                   "mixture of experts: expected experts >= 1 and dim >= 1");
    const bool rounds = options.precision == MoePrecision::kBfloat16;
    HYPERLLM_CHECK(!rounds || !options.tune_semantic, ErrorCode::kInvalidArgument,
                   "mixture of experts: semantic embeddings that are tuned need precision float32");
    const std::int64_t rows = semantic.size(0), input = semantic.size(1);
    if (rounds) {
      state_ =
          c10::make_intrusive<MoeState>(semantic.contiguous(), options, kernels::fastest_bfloat16_panels());
      void* pairs = const_cast<float*>(state_->inputs.row(0));
      semantic_ =
          torch::from_blob(pairs, {rows, 2 * state_->inputs.depth()}, torch::kBFloat16).narrow(1, 0, input);
    } else {
      semantic_ = torch::empty({rows, input});
      advise_huge_pages(semantic_.data_ptr(), semantic_.nbytes());
      semantic_.copy_(semantic).requires_grad_(options.tune_semantic);
      state_ = c10::make_intrusive<MoeState>(semantic_, options, kernels::fastest_float_panels());
    }
    const std::int64_t stacked = options.experts * (options.dim + 1);
    const double scale = 1 / std::sqrt(static_cast<double>(input));
    weights_ = uniform_tangents(stacked, input, scale, Random(random(), "weights")).requires_grad_(true);
    bias_ =
        uniform_tangents(stacked, 1, scale, Random(random(), "bias")).view({stacked}).requires_grad_(true);
  }

  std::vector<optim::Parameter> parameters() const override {
    std::vector<optim::Parameter> parameters = {{"moe.weights", weights_}, {"moe.bias", bias_}};
    if (options_.tune_semantic) parameters.push_back({"semantic", semantic_});
    return parameters;
  }

  Tensor tangents() const override {
    if (manifold::use_kernel(weights_)) {
      // A pass that waits for its gradients keeps its buffers to itself; one without gradients needs none.
      const bool keep = torch::GradMode::is_enabled();
      if (!buffers_.defined() || (keep && buffers_.use_count() > 1))
        buffers_ = c10::make_intrusive<MoeBuffers>(*state_);
      return MoeFunction::apply(semantic_, weights_, bias_, state_, buffers_, keep);
    }
    const Tensor z = torch::addmm(bias_, semantic_.to(torch::kFloat), weights_.t());
    const Tensor gate = torch::softmax(z.narrow(1, 0, options_.experts), 1).unsqueeze(2);  // (9)
    const Tensor experts = z.narrow(1, options_.experts, options_.experts * options_.dim)
                               .view({-1, options_.experts, options_.dim});  // (10)
    return (gate * experts).sum(1);                                          // (8)
  }

 private:
  MoeOptions options_;
  c10::intrusive_ptr<MoeState> state_;
  Tensor semantic_, weights_, bias_;
  mutable c10::intrusive_ptr<MoeBuffers> buffers_;
};

}  // namespace

Storage storage_for(const models::Space& space, const std::string& optimizer) {
  return space.geometry == models::Geometry::kLorentz && optimizer == "rsgd" ? Storage::kPoints
                                                                             : Storage::kTangents;
}

std::unique_ptr<Embeddings> make_table(std::string name, const Tensor& tangents, Storage storage,
                                       manifold::Curvature curvature) {
  return std::make_unique<Table>(std::move(name), tangents, storage, curvature);
}

std::unique_ptr<Embeddings> make_moe(const Tensor& semantic, const MoeOptions& options, Random random) {
  return std::make_unique<Moe>(semantic, options, random);
}

}  // namespace hyperllm::frameworks
