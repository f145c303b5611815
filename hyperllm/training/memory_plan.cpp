#include "hyperllm/training/memory_plan.h"

#include <algorithm>
#include <cmath>

#include "hyperllm/base/error.h"
#include "hyperllm/kernels/contrast.h"

namespace hyperllm::training {
namespace {

constexpr std::int64_t kFloat = 4;
// The program with LibTorch and OpenBLAS in it, and their buffers, after release_file_pages().
constexpr std::int64_t kProcess = 90'000'000;
constexpr std::int64_t kThread = 16'000'000;

std::string megabytes(std::int64_t bytes) { return std::to_string((bytes + 500'000) / 1'000'000); }

struct Sizes {
  explicit Sizes(const RunShape& s)
      : shape(s), nodes(s.users + s.items), tag_nodes(s.tags > 0 ? s.items + s.tags : 0) {}
  // A float matrix with `rows` rows.
  std::int64_t rows(std::int64_t count) const { return kFloat * shape.dim * count; }

  const RunShape& shape;
  std::int64_t nodes, tag_nodes;
};

// Columns of the dataset (user, item, rating, time), ids, and the sparse rows of train and valid.
std::int64_t interactions(const Sizes& s) {
  const std::int64_t all = s.shape.train + s.shape.held_out;
  return 20 * all + 40 * s.nodes + 4 * (s.shape.train + s.shape.held_out / 2) + 24 * s.shape.users;
}

std::int64_t entries(const Sizes& s) {
  std::int64_t count = 2 * s.shape.train + s.nodes;
  if (s.tag_nodes > 0) count += 2 * (s.shape.tag_edges + s.shape.tag_items) + s.tag_nodes;
  return count;
}

// Indices and weights, once for both directions.
std::int64_t graphs(const Sizes& s) { return 8 * entries(s) + 12 * (s.nodes + s.tag_nodes); }
// While the user-item graph is built: its edges, and both directions of them being sorted.
std::int64_t building(const Sizes& s) {
  return 12 * s.shape.train + 12 * (2 * s.shape.train + s.nodes) + graphs(s);
}

// Positives and what must not be a negative; an epoch's order, and its triplets with what vectors reserve.
std::int64_t samples(const Sizes& s) {
  const std::int64_t positives = s.shape.train + 2 * (s.shape.tag_items + s.shape.tag_edges);
  return (8 + 4) * positives + 8 * s.shape.train + 18 * positives;
}

// Value, gradient, the optimizer's moments, the best epoch's copy.
std::int64_t parameters(const Sizes& s, std::int64_t rows) { return (s.shape.adam ? 5 : 4) * rows; }

// The all-pairs contrast of `rows` x `columns` points: padded copies, partial sums of column gradients,
// tiles.
std::int64_t contrast(const Sizes& s, std::int64_t rows, std::int64_t columns) {
  return s.rows(2 * (rows + columns)) + kernels::contrast_lanes(columns) * s.rows(columns) +
         s.shape.threads * 2 * 64 * kFloat * columns;
}

// Node matrices alive at the widest point of a step, beside the parameters.
std::int64_t step(const Sizes& s) {
  const std::int64_t bytes = s.rows(6 * s.nodes + 6 * s.tag_nodes);
  std::int64_t losses = 0;
  if (s.tag_nodes > 0 && s.shape.contrast)
    losses = contrast(s, s.shape.contrast_rows > 0 ? s.shape.contrast_rows : s.shape.items, s.shape.items);
  if (s.shape.softmax) losses = std::max(losses, contrast(s, s.shape.batch_size, s.shape.items));
  return bytes + std::max(losses, s.shape.of_model);
}

std::int64_t evaluation(const Sizes& s) {
  const std::int64_t users =
      s.shape.eval_users > 0 ? std::min(s.shape.eval_users, s.shape.users) : s.shape.users;
  return s.rows(5 * s.nodes) + users * (20 * 8 + 4 * 8 + 8) + s.shape.threads * 16'000'000;
}

// Weights, biases and gates of all experts.
std::int64_t moe_parameters(const RunShape& shape) {
  return kFloat * shape.experts * (shape.dim + 1) * (shape.semantic_dim + 1);
}

// Inputs (read, stacked, copied), every expert's output, and the step of the backbone behind it.
std::int64_t phase1(const Sizes& s) {
  const std::int64_t inputs = kFloat * s.nodes * s.shape.semantic_dim;
  const std::int64_t outputs = kFloat * s.nodes * s.shape.experts * (s.shape.dim + 1);
  const std::int64_t training =
      inputs + 2 * outputs + parameters(s, moe_parameters(s.shape)) + s.rows(6 * s.nodes);
  return std::max(2 * inputs, training);
}

}  // namespace

std::int64_t MemoryPlan::peak() const {
  std::int64_t sum = 0;
  for (const auto& [name, bytes] : parts) sum += bytes;
  return sum;
}

std::string MemoryPlan::text() const {
  std::string list;
  for (const auto& [name, bytes] : parts) list += (list.empty() ? "" : ", ") + name + " " + megabytes(bytes);
  return "memory: about " + megabytes(peak()) + " MB (" + list + ")";
}

MemoryPlan plan_memory(const RunShape& shape) {
  const Sizes sizes(shape);
  MemoryPlan plan;
  plan.parts = {{"process", kProcess + shape.threads * kThread}, {"interactions", interactions(sizes)}};
  const std::int64_t tables = parameters(sizes, sizes.rows(sizes.nodes + shape.tags));
  const std::int64_t running = samples(sizes) + tables + std::max(step(sizes), evaluation(sizes));
  if (shape.semantic_dim > 0 && phase1(sizes) + samples(sizes) > running) {
    plan.parts.emplace_back("graphs", graphs(sizes));
    plan.parts.emplace_back("samples", samples(sizes));
    plan.parts.emplace_back("phase 1", phase1(sizes));
  } else if (building(sizes) > graphs(sizes) + running) {
    plan.parts.emplace_back("graph while it is built", building(sizes));
  } else {
    plan.parts.emplace_back("graphs", graphs(sizes));
    plan.parts.emplace_back("samples", samples(sizes));
    plan.parts.emplace_back("parameters", tables);
    const bool step_peaks = step(sizes) >= evaluation(sizes);
    plan.parts.emplace_back(step_peaks ? "step" : "evaluation", std::max(step(sizes), evaluation(sizes)));
  }
  return plan;
}

void require_memory(const MemoryPlan& plan, std::int64_t limit) {
  if (limit < 0 || plan.peak() <= limit) return;
  throw Error(
      ErrorCode::kInvalidArgument,
      "training will not fit: " + plan.text() + ", and there are " + megabytes(limit) +
          " MB. Make 'dim', 'batch_size', 'eval_users' or '--threads' smaller, draw rows for the contrast "
          "('contrast_rows'), leave tags out (variant 'semantic' or 'base'), or set 'memory_limit' if you "
          "know better.");
}

}  // namespace hyperllm::training
