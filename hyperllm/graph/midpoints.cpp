#include "hyperllm/graph/midpoints.h"

#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <cmath>

#include "hyperllm/base/error.h"
#include "hyperllm/base/parallel.h"
#include "hyperllm/graph/graph_holder.h"
#include "hyperllm/manifold/fused.h"

namespace hyperllm::graph {
namespace {

using manifold::const_floats;
using manifold::floats;
using torch::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

constexpr std::int64_t kGrain = 64;  // rows

// Of the unit hyperboloid: time in double, space in float, and 1 / sqrt(-<s,s>) of the sums s that they come
// from (0: no sum).
struct Points {
  Tensor space, time, inverse;

  Points(std::int64_t nodes, std::int64_t dim)
      : space(torch::empty({nodes, dim})),
        time(torch::empty({nodes}, torch::kDouble)),
        inverse(torch::empty({nodes}, torch::kDouble)) {}
  Points(Tensor of_space, Tensor of_time, Tensor of_inverse)
      : space(std::move(of_space)), time(std::move(of_time)), inverse(std::move(of_inverse)) {}

  std::int64_t dim() const { return space.size(1); }
  float* row(std::int64_t i) { return floats(space).data() + i * dim(); }
  const float* row(std::int64_t i) const { return const_floats(space).data() + i * dim(); }
  double* times() { return time.data_ptr<double>(); }
  const double* times() const { return time.data_ptr<double>(); }
  double* inverses() { return inverse.data_ptr<double>(); }
  const double* inverses() const { return inverse.data_ptr<double>(); }

  // Time follows from the space coordinates as they were rounded.
  void put_on_hyperboloid(std::int64_t i) {
    const float* at = row(i);
    const std::int64_t count = dim();
    double squared = 0;
    for (std::int64_t k = 0; k < count; ++k) squared += static_cast<double>(at[k]) * at[k];
    times()[i] = std::sqrt(1 + squared);
  }
};

// Time and space of a sum of points, and the sum of their weights.
struct Sum {
  explicit Sum(std::int64_t dim) : space(dim) {}
  void clear() {
    std::fill(space.begin(), space.end(), 0.0);
    time = weight = 0;
  }
  void add(double of_weight, const Points& points, std::int64_t i) {
    const float* row = points.row(i);
    for (std::size_t k = 0; k < space.size(); ++k) space[k] += of_weight * row[k];
    time += of_weight * points.times()[i];
    weight += of_weight;
  }
  std::vector<double> space;
  double time = 0, weight = 0;
};

void put_midpoint(Points& points, std::int64_t i, const Sum& sum) {
  double squared = 0;
  for (const double value : sum.space) squared += value * value;
  const double norm = std::sqrt(squared);
  const double length = std::sqrt(std::max((sum.time - norm) * (sum.time + norm), sum.weight * sum.weight));
  const double inverse = sum.weight > 0 ? 1 / length : 0;
  points.inverses()[i] = inverse;
  std::transform(sum.space.begin(), sum.space.end(), points.row(i),
                 [&](double value) { return static_cast<float>(value * inverse); });
  points.put_on_hyperboloid(i);
}

Points midpoints_of_neighbours(const kernels::SymmetricGraph& graph, const Points& from) {
  Points to(graph.nodes, from.dim());
  parallel_ranges(graph.nodes, kGrain, [&](std::int64_t begin, std::int64_t end) {
    Sum sum(from.dim());
    for (std::int64_t i = begin; i < end; ++i) {
      sum.clear();
      for (std::int64_t e = graph.indptr[i]; e < graph.indptr[i + 1]; ++e) {
        const std::int32_t j = graph.indices[e];
        const double weight = graph.weights.empty() ? 1.0 : graph.weights[e];
        sum.add(weight * graph.scale[i] * (graph.both_sides ? graph.scale[j] : 1.0), from, j);
      }
      put_midpoint(to, i, sum);
    }
  });
  return to;
}

Points midpoints_of_layers(const std::vector<Points>& layers) {
  const std::int64_t nodes = layers[0].space.size(0), dim = layers[0].dim();
  Points to(nodes, dim);
  parallel_ranges(nodes, kGrain, [&](std::int64_t begin, std::int64_t end) {
    Sum sum(dim);
    for (std::int64_t i = begin; i < end; ++i) {
      sum.clear();
      for (const Points& layer : layers) sum.add(layer.inverses()[i] > 0 ? 1 : 0, layer, i);
      put_midpoint(to, i, sum);
    }
  });
  return to;
}

// From the gradient of o = s / sqrt(-<s,s>) to that of s: (g + <g, o> (-o_0, o)) / sqrt(-<s,s>), with the
// Euclidean <g, o>. Row i of `grad` (time, then space) in place.
void through_midpoint(const Points& points, std::int64_t i, float* grad) {
  const double time = points.times()[i], inverse = points.inverses()[i];
  const float* row = points.row(i);
  const std::int64_t dim = points.dim();
  double dot = grad[0] * time;
  for (std::int64_t k = 0; k < dim; ++k) dot += static_cast<double>(grad[k + 1]) * row[k];
  grad[0] = static_cast<float>((grad[0] - dot * time) * inverse);
  for (std::int64_t k = 0; k < dim; ++k)
    grad[k + 1] = static_cast<float>((grad[k + 1] + dot * row[k]) * inverse);
}

struct Midpoints : public torch::autograd::Function<Midpoints> {
  static Tensor forward(AutogradContext* context, const Tensor& x, const GraphPtr& graph,
                        std::int64_t layers) {
    const Tensor input = x.contiguous();
    const std::int64_t nodes = input.size(0);
    Points start(input, torch::empty({nodes}, torch::kDouble), Tensor());
    for (std::int64_t i = 0; i < nodes; ++i) start.put_on_hyperboloid(i);
    std::vector<Points> each;
    for (std::int64_t l = 0; l < layers; ++l)
      each.push_back(midpoints_of_neighbours(graph->view(), l == 0 ? start : each.back()));
    const Points out = midpoints_of_layers(each);
    variable_list saved = {input, start.time, out.space, out.time, out.inverse};
    for (const Points& layer : each) saved.insert(saved.end(), {layer.space, layer.time, layer.inverse});
    context->save_for_backward(saved);
    context->saved_data["graph"] = c10::IValue::make_capsule(c10::make_intrusive<GraphHolder>(graph));
    return out.space;
  }

  static variable_list backward(AutogradContext* context, variable_list grads) {
    const variable_list saved = context->get_saved_variables();
    const auto holder =
        c10::static_intrusive_pointer_cast<GraphHolder>(context->saved_data["graph"].toCapsule());
    const Tensor given = grads[0].contiguous();
    const std::int64_t nodes = given.size(0), dim = given.size(1), width = dim + 1;
    // Ambient gradients: of the sum of the layers' points, and of one layer's.
    Tensor of_sum = torch::empty({nodes, width}), of_layer, from_above, scratch = torch::empty_like(of_sum);
    const Points out(saved[2], saved[3], saved[4]);
    const auto for_rows = [&](const std::function<void(std::int64_t)>& row) {
      parallel_ranges(nodes, kGrain, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t i = begin; i < end; ++i) row(i);
      });
    };
    for_rows([&](std::int64_t i) {
      float* to = floats(of_sum).data() + i * width;
      to[0] = 0;
      std::copy_n(const_floats(given).data() + i * dim, dim, to + 1);
      through_midpoint(out, i, to);
    });
    for (std::size_t at = saved.size(); at > 5; at -= 3) {
      of_layer = from_above.defined() ? from_above.add_(of_sum) : of_sum.clone();
      const Points layer(saved[at - 3], saved[at - 2], saved[at - 1]);
      for_rows([&](std::int64_t i) { through_midpoint(layer, i, floats(of_layer).data() + i * width); });
      from_above = torch::empty_like(of_layer);
      kernels::propagate_sum_backward(holder->graph->view(), const_floats(of_layer), width, 1,
                                      floats(from_above), floats(scratch));
    }
    Tensor grad = torch::empty_like(given);
    for_rows([&](std::int64_t i) {  // time is a function of the space coordinates
      const float* from = const_floats(from_above).data() + i * width;
      const float* x = const_floats(saved[0]).data() + i * dim;
      float* to = floats(grad).data() + i * dim;
      const double of_time = from[0] / saved[1].data_ptr<double>()[i];
      for (std::int64_t k = 0; k < dim; ++k) to[k] = static_cast<float>(from[k + 1] + of_time * x[k]);
    });
    return {grad, Tensor(), Tensor()};
  }
};

// The specification in plain ATen, on the unit hyperboloid. s: (d+1)-vectors; weight: of the points in them.
Tensor reference_midpoint(const Tensor& s, const Tensor& weight) {
  const Tensor squared = s.narrow(1, 0, 1).square() - s.narrow(1, 1, s.size(1) - 1).square().sum(1, true),
               least = weight.square();
  // The bound moves the value, and leaves the gradient.
  const Tensor bounded = squared + torch::relu(least - squared).detach();
  return torch::where(weight > 0, s / torch::sqrt(torch::where(weight > 0, bounded, torch::ones_like(least))),
                      torch::zeros_like(s));
}

Tensor reference_midpoints(const GraphPtr& graph, const Tensor& x, std::int64_t layers) {
  const Tensor weight = propagate_sum(graph, torch::ones({x.size(0), 1}, x.options()), 1);
  Tensor point = torch::cat({torch::sqrt(1 + x.square().sum(1, true)), x}, 1), sum = torch::zeros_like(point);
  for (std::int64_t l = 0; l < layers; ++l) {
    point = reference_midpoint(propagate_sum(graph, point, 1), weight);
    sum = sum + point;
  }
  const Tensor count = (weight > 0).to(x.scalar_type()) * static_cast<double>(layers);
  return reference_midpoint(sum, count).narrow(1, 1, x.size(1));
}

}  // namespace

Tensor midpoints(const GraphPtr& graph, const Tensor& x, std::int64_t layers, manifold::Curvature curvature) {
  HYPERLLM_CHECK(x.dim() == 2 && x.size(0) == graph->nodes() && layers >= 1, ErrorCode::kInvalidArgument,
                 "[midpoints] expected " + std::to_string(graph->nodes()) +
                     " rows and at least one layer, got " + std::to_string(x.size(0)) + " rows and " +
                     std::to_string(layers) + " layers");
  const double scale = std::sqrt(curvature.c);
  const Tensor unit = scale == 1 ? x : x * scale;
  const Tensor out = manifold::use_kernel(x) ? Midpoints::apply(unit, graph, layers)
                                             : reference_midpoints(graph, unit, layers);
  return scale == 1 ? out : out / scale;
}

}  // namespace hyperllm::graph
