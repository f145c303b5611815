// One dataset with a framework on it, and the timing of a step's parts.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "hyperllm/data/synthetic.h"
#include "hyperllm/frameworks/method.h"
#include "hyperllm/models/model.h"
#include "hyperllm/stages/bench/options.h"
#include "hyperllm/stages/bench/run.h"
#include "hyperllm/training/sampler.h"

namespace hyperllm::stages::bench {

// Seconds of the median call of `body`, after one that does not count: at least one, at most as many as fit
// into `budget` seconds.
double median_seconds(double budget, const std::function<void()>& body);

class Workload {
 public:
  // data.tags may be empty: then there is no tag task.
  Workload(const BenchOptions& options, data::Synthetic data);

  // Fills parts, step_ms, evaluation_ms, steps_per_epoch. `ceilings` are not needed: shares come later.
  void measure(BenchResult& result);

 private:
  std::unique_ptr<frameworks::Framework> framework(bool contrast) const;
  double step(frameworks::Framework& model, optim::Optimizer& optimizer);
  double contrast();
  double propagation();
  double pair_losses();
  double evaluation();
  std::int64_t contrast_rows() const;
  std::int64_t gathered_rows() const;

  BenchOptions options_;
  data::Dataset dataset_;
  std::shared_ptr<const data::TagGraph> tags_;  // null if there are none
  std::shared_ptr<const data::Csr> train_;
  data::Csr valid_;
  std::unique_ptr<models::Model> model_;
  std::shared_ptr<const models::Backbone> backbone_;
  std::shared_ptr<const frameworks::Objective> objective_;
  graph::GraphPtr user_item_, tag_graph_;
  std::vector<frameworks::Batch> batches_;
};

}  // namespace hyperllm::stages::bench
