// Where the tangent ID embeddings come from: a table of free parameters, or the mixture of experts on
// semantic embeddings.
#pragma once

#include <torch/types.h>

#include <memory>
#include <string>
#include <vector>

#include "hyperllm/base/random.h"
#include "hyperllm/manifold/curvature.h"
#include "hyperllm/models/backbone.h"
#include "hyperllm/optim/optimizer.h"

namespace hyperllm::frameworks {

class Embeddings {
 public:
  virtual ~Embeddings() = default;
  virtual std::vector<optim::Parameter> parameters() const = 0;
  // rows x dim tangent vectors at the origin, differentiable with respect to the parameters.
  virtual torch::Tensor tangents() const = 0;
  // To be called after parameters were written from outside (a checkpoint, the best epoch).
  virtual void parameters_changed() {}
  // Asks to keep the tangents in `place` (rows x dim, contiguous) from now on, beside other tables; what
  // computes them anew each time cannot and does not.
  virtual void lie_in(const torch::Tensor& place) { (void)place; }
};

// How a table stores its rows: points on the hyperboloid (the paper, with Riemannian SGD) or the tangent
// vectors themselves (with Adam).
enum class Storage { kPoints, kTangents };
// What suits an optimizer ("rsgd", "adam") in the backbone's space: points for Riemannian SGD on the
// hyperboloid.
Storage storage_for(const models::Space& space, const std::string& optimizer);

// Free parameters that start at `tangents` (rows x dim).
std::unique_ptr<Embeddings> make_table(std::string name, const torch::Tensor& tangents, Storage storage,
                                       manifold::Curvature curvature);

enum class MoePrecision {
  kFloat32,
  kBfloat16,  // inputs, and what the products multiply them by, are rounded; sums and weights stay float32
};
struct MoeOptions {
  std::int64_t experts = 16;   // K
  std::int64_t dim = 49;       // d2 without the time coordinate
  bool tune_semantic = false;  // the second kind of the paper's "w/o Meta" ablation
  MoePrecision precision = MoePrecision::kFloat32;
};
// (8)-(10): x = sum_k softmax(W_g s + b_g)_k (W_k s + b_k). semantic: rows x d1, frozen unless tune_semantic.
// Weights and biases start uniform in +-1/sqrt(d1). Throws kUnavailable for kBfloat16 where the CPU has no
// instructions for it, kInvalidArgument for kBfloat16 with tune_semantic. Each pass can be differentiated
// once; its memory serves the next pass when nobody holds its results any more.
std::unique_ptr<Embeddings> make_moe(const torch::Tensor& semantic, const MoeOptions& options, Random random);

using models::uniform_tangents;

}  // namespace hyperllm::frameworks
