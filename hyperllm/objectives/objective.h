// What is minimised over positive pairs of nodes. A new objective is one class in a file of its own and one
// line in objective.cpp.
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "hyperllm/base/registry.h"
#include "hyperllm/manifold/row_ranges.h"
#include "hyperllm/manifold/space.h"

namespace hyperllm::objectives {

// Pairs of node ids, and for each pair nodes that were drawn as negatives: those of pair i lie at
// [i * per_pair, (i + 1) * per_pair) of `candidates`.
struct Pairs {
  std::vector<std::int32_t> anchor, positive;  // of one length
  std::vector<std::int32_t> candidates;        // size() * per_pair
  std::int64_t per_pair = 1;
  std::int64_t size() const { return static_cast<std::int64_t>(anchor.size()); }
};

// Pairs of one kind, and the rows among which an anchor is to rank its positive.
struct Task {
  const Pairs& pairs;
  manifold::RowRange competitors;
};

class Objective : public Configurable {
 public:
  // Negatives that must be drawn for each pair; 0: none.
  virtual std::int64_t candidates() const = 0;
  // Each anchor of a batch meets all its competitors at once, which takes memory.
  virtual bool meets_all_competitors() const { return false; }
  // The optimizer that suits it: "rsgd" or "adam".
  virtual std::string optimizer() const = 0;
  // A float64 scalar, over the pairs of all tasks; a sum unless an option says otherwise. points: nodes x dim, of `space`. margin: of the
  // tasks, for objectives that have one. What is near in `space` ranks first.
  virtual torch::Tensor loss(const torch::Tensor& points, std::span<const Task> tasks, double margin,
                             const manifold::Space& space) const = 0;
};

// All objectives: those that files of this folder add, and what was added.
Registry<Objective>& objectives();

// What an option that names one takes: "auto", and the names.
std::vector<std::string> choices();

// With its options at their defaults. Throws kInvalidArgument naming the nearest name.
std::unique_ptr<Objective> make_objective(const std::string& name);

// What the files of their names hold.
void add_hicf(Registry<Objective>& to);
void add_hinge(Registry<Objective>& to);
void add_softmax(Registry<Objective>& to);
void add_bpr(Registry<Objective>& to);

// Points of a hyperbolic space as Lorentz space coordinates, which the fused losses take.
torch::Tensor lorentz_points(const torch::Tensor& points, const manifold::Space& space);

// Float64 sum of a vector, the same for any number of threads.
torch::Tensor steady_sum(const torch::Tensor& values);

}  // namespace hyperllm::objectives
