// HRCF (Yang et al., WWW 2022): HGCF whose layer sum is centred at the origin ("root alignment"), and a
// regulariser that pushes items away from it.
#include <torch/csrc/autograd/custom_function.h>

#include <cmath>
#include <vector>

#include "hyperllm/base/parallel.h"
#include "hyperllm/kernels/centring.h"
#include "hyperllm/manifold/fused.h"
#include "hyperllm/models/model.h"

namespace hyperllm::models {
namespace {

using torch::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

struct Centred : public torch::autograd::Function<Centred> {
  static Tensor of(const Tensor& x) {
    const Tensor input = x.contiguous();
    Tensor out = torch::empty_like(input);
    kernels::subtract_column_means(manifold::const_floats(input), input.size(1), manifold::floats(out));
    return out;
  }
  static Tensor forward(AutogradContext*, const Tensor& x) { return of(x); }
  static variable_list backward(AutogradContext*, variable_list grads) { return {of(grads[0])}; }
};

// alpha / sqrt(mean of 1e-6 + |logmap0(h)|^2) over some rows of the points, |logmap0(h)| = asinh(sqrt(c) |h|)
// / sqrt(c). One pass over those rows, and one for the gradient, which is radial.
struct RootDistance : public torch::autograd::Function<RootDistance> {
  static constexpr double kEpsilon = 1e-6;
  static constexpr std::int64_t kRowsPerBlock = 1024;

  static Tensor forward(AutogradContext* context, const Tensor& points, std::int64_t first,
                        std::int64_t count, double alpha, double c) {
    const Tensor input = points.contiguous();
    const Tensor slopes = torch::empty({count}, torch::kDouble);
    const double mean =
        input.scalar_type() == torch::kFloat
            ? mean_of(input.data_ptr<float>() + first * input.size(1), slopes, input.size(1), c)
            : mean_of(input.data_ptr<double>() + first * input.size(1), slopes, input.size(1), c);
    context->save_for_backward({input, slopes});
    context->saved_data["first"] = first;
    context->saved_data["slope"] = -alpha / (static_cast<double>(count) * mean * std::sqrt(mean));
    return torch::scalar_tensor(alpha / std::sqrt(mean), torch::kDouble);
  }

  static variable_list backward(AutogradContext* context, variable_list grads) {
    const variable_list saved = context->get_saved_variables();
    const std::int64_t first = context->saved_data["first"].toInt(), dim = saved[0].size(1);
    const double slope = context->saved_data["slope"].toDouble() * grads[0].item<double>();
    const Tensor grad = torch::zeros_like(saved[0]);
    if (grad.scalar_type() == torch::kFloat)
      write(saved[0].data_ptr<float>() + first * dim, saved[1], dim, slope,
            grad.data_ptr<float>() + first * dim);
    else
      write(saved[0].data_ptr<double>() + first * dim, saved[1], dim, slope,
            grad.data_ptr<double>() + first * dim);
    return {grad, Tensor(), Tensor(), Tensor(), Tensor()};
  }

 private:
  // slopes[i] receives half the gradient of row i's squared distance in units of the row.
  template <typename T>
  static double mean_of(const T* rows, const Tensor& slopes, std::int64_t dim, double c) {
    const std::int64_t count = slopes.size(0);
    double* slope = slopes.data_ptr<double>();
    std::vector<double> squares(static_cast<std::size_t>(count));
    parallel_ranges(count, kRowsPerBlock, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) {
        double square = 0;
        for (std::int64_t k = 0; k < dim; ++k)
          square += static_cast<double>(rows[i * dim + k]) * rows[i * dim + k];
        const double s = std::sqrt(c * square), r = std::asinh(s);
        squares[i] = r * r / c;
        slope[i] = (s > 0 ? r / s : 1) / std::sqrt(1 + s * s);
      }
    });
    double sum = 0;
    for (const double square : squares) sum += kEpsilon + square;
    return sum / static_cast<double>(count);
  }

  template <typename T>
  static void write(const T* rows, const Tensor& slopes, std::int64_t dim, double scale, T* grad) {
    const double* slope = slopes.data_ptr<double>();
    parallel_ranges(slopes.size(0), kRowsPerBlock, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i)
        for (std::int64_t k = i * dim; k < (i + 1) * dim; ++k)
          grad[k] = static_cast<T>(scale * slope[i] * rows[k]);
    });
  }
};

class Hrcf final : public Backbone {
 public:
  Hrcf(const BackboneOptions& options, double alpha, bool centring)
      : options_(options), alpha_(alpha), centring_(centring) {}

  Space space() const override { return {Geometry::kLorentz, options_.curvature}; }
  double cap() const override { return options_.max_radius; }

  Tensor encode(const Tensor& tangents, const graph::GraphPtr& graph, const Pass&) const override {
    const Tensor sum = graph::propagate_sum(graph, tangents, options_.layers);
    return manifold::expmap0_rows(centring_ ? centred(sum) : sum, options_.curvature, options_.max_radius);
  }

  Tensor auxiliary_loss(const Encoded& encoded, const Pass&) const override {
    if (alpha_ == 0) return {};
    return RootDistance::apply(encoded.points, encoded.nodes.users, encoded.nodes.items, alpha_,
                               options_.curvature.c);
  }
  std::int64_t auxiliary_bytes(const Nodes& nodes, std::int64_t dim, std::int64_t) const override {
    if (alpha_ == 0) return 0;
    return (nodes.users + nodes.items) * dim * static_cast<std::int64_t>(sizeof(float)) +
           2 * nodes.items * static_cast<std::int64_t>(sizeof(double));
  }

 private:
  // The mean is that of all nodes of the graph, users and items (or items and tags) together.
  static Tensor centred(const Tensor& sum) {
    return manifold::use_kernel(sum) ? Centred::apply(sum) : sum - sum.mean(0, true);
  }

  BackboneOptions options_;
  double alpha_;
  bool centring_;
};

struct HrcfModel final : Model {
  double alpha = 25;
  bool centring = true;
  FieldList fields() override {
    return {{"alpha", &alpha, "weight of the loss that pushes items away from the origin; 0: none",
             within(0, 1e6)},
            {"centring", &centring, "move the mean of all nodes to the origin (root alignment)"}};
  }
  std::unique_ptr<Backbone> backbone(const BackboneOptions& options) const override {
    return std::make_unique<Hrcf>(options, alpha, centring);
  }
};

}  // namespace

void add_hrcf(Registry<Model>& to) {
  to.add("hrcf", "backbone: HGCF centred, items kept away from the origin", HrcfModel());
}

}  // namespace hyperllm::models
