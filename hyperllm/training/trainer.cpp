#include "hyperllm/training/trainer.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <numeric>

#include "hyperllm/base/error.h"
#include "hyperllm/base/files.h"
#include "hyperllm/manifold/fused.h"
#include "hyperllm/metrics/evaluate_ranking.h"
#include "hyperllm/retrieval/scorer.h"
#include "hyperllm/training/checkpoint.h"
#include "hyperllm/training/tensor_memory.h"

namespace hyperllm::training {
namespace {

using json = nlohmann::ordered_json;
using Clock = std::chrono::steady_clock;

double score_of(const Metrics& metrics) {
  return std::accumulate(metrics.begin(), metrics.end(), 0.0,
                         [](double sum, const auto& metric) { return sum + metric.second; });
}

std::string short_note(double loss, const Metrics& metrics) {
  char text[96];
  std::snprintf(text, sizeof text, "loss %.4g  R@20 %.4f  N@20 %.4f", loss, metrics[1].second,
                metrics[3].second);
  return text;
}

class Run {
 public:
  Run(frameworks::HyperLlm& framework, optim::Optimizer& optimizer, const Sampler& sampler,
      manifold::Curvature curvature, const data::Csr& train_items, const data::Csr& valid_items,
      const TrainerOptions& options, const Context& context)
      : framework_(framework),
        optimizer_(optimizer),
        sampler_(sampler),
        curvature_(curvature),
        train_items_(train_items),
        valid_items_(valid_items),
        options_(options),
        context_(context) {}

  Outcome go() {
    if (options_.resume && std::filesystem::exists(options_.checkpoint)) {
      restore();
    } else {
      const std::string bad = framework_.first_non_finite();
      HYPERLLM_CHECK(bad.empty(), ErrorCode::kNonFinite,
                     options_.task + ": not finite before the first step: " + bad +
                         ". Check the embeddings that training starts from.");
      write_file(options_.log, "");
      evaluate(0);
    }
    Progress progress(context_, options_.task, options_.epochs);
    progress.start_at(outcome_.epochs);
    while (outcome_.epochs < options_.epochs && !(outcome_.stopped_early = out_of_patience())) {
      run_epoch(outcome_.epochs + 1);
      progress.advance(1, note_);
      if (finished() || seconds_since_save() >= options_.checkpoint_seconds) save();
      if (context_.stop.stop_requested()) {
        save();
        context_.check_stop("training", "everything up to epoch " + std::to_string(outcome_.epochs) +
                                            " is saved, run the same command to go on");
      }
    }
    for (const optim::Parameter& parameter : framework_.parameters())
      copy(best(parameter.name), parameter.value);
    framework_.parameters_changed();
    return outcome_;
  }

 private:
  bool out_of_patience() const { return outcome_.epochs - outcome_.best_epoch >= options_.patience; }
  bool finished() const { return outcome_.epochs >= options_.epochs || out_of_patience(); }
  double seconds_since_save() const {
    return std::chrono::duration<double>(Clock::now() - saved_at_).count();
  }

  static void copy(const torch::Tensor& from, torch::Tensor to) {
    const torch::NoGradGuard no_grad;
    to.copy_(from);
  }

  torch::Tensor& best(const std::string& name) {
    for (auto& [key, tensor] : best_)
      if (key == name) return tensor;
    throw Error(ErrorCode::kInvalidData, "checkpoint: no best value of '" + name + "'");
  }

  [[noreturn]] void fail_non_finite(std::int64_t epoch, std::int64_t step) {
    const std::string where = framework_.first_non_finite();
    throw Error(ErrorCode::kNonFinite,
                options_.task + ": the loss is not finite at epoch " + std::to_string(epoch) + ", step " +
                    std::to_string(step + 1) + (where.empty() ? " (the loss itself)" : ": " + where) +
                    ". Lower the learning rate or the margin" +
                    (std::filesystem::exists(options_.checkpoint)
                         ? "; the last good checkpoint is " + options_.checkpoint.string() + "."
                         : "."));
  }

  void run_epoch(std::int64_t epoch) {
    double total = 0;
    const Sampler::Epoch plan = sampler_.epoch(epoch);
    const std::int64_t steps = sampler_.batches_per_epoch();
    for (std::int64_t step = 0; step < steps; ++step) {
      plan.batch(step, batch_);
      optimizer_.zero_grad();
      const torch::Tensor loss = framework_.loss(batch_);
      const double value = loss.item<double>();
      if (!std::isfinite(value)) fail_non_finite(epoch, step);
      loss.backward();
      optimizer_.step();
      total += value;
    }
    loss_ = total / static_cast<double>(steps);
    // Before anything is kept: an update may have broken the parameters after the last finite loss.
    if (!framework_.first_non_finite().empty()) fail_non_finite(epoch, steps - 1);
    outcome_.epochs = epoch;
    if (epoch % options_.eval_every == 0 || epoch == options_.epochs) evaluate(epoch);
  }

  void evaluate(std::int64_t epoch) {
    const Metrics metrics =
        rank_and_measure(framework_.representations(), curvature_, train_items_, valid_items_);
    const double score = score_of(metrics);
    if (best_.empty() || score >= best_score_) {
      best_score_ = score;
      outcome_.best_epoch = epoch;
      outcome_.best = metrics;
      best_.clear();
      for (const optim::Parameter& parameter : framework_.parameters())
        best_.emplace_back(parameter.name, parameter.value.detach().clone());
    }
    json line;
    line["epoch"] = epoch;
    if (epoch > 0) line["loss"] = loss_;
    for (const auto& [name, value] : metrics) line[name] = value;
    line["saturated"] = framework_.saturation();
    append(line.dump() + "\n");
    note_ = short_note(loss_, metrics);
  }

  void append(const std::string& line) {
    std::ofstream log(options_.log, std::ios::app);
    log << line << std::flush;
    HYPERLLM_CHECK(log.good(), ErrorCode::kIo,
                   options_.log.string() + ": cannot write the log; is the disk full?");
  }

  void save() {
    Checkpoint checkpoint;
    checkpoint.texts = {{"identity", options_.identity},
                        {"epoch", std::to_string(outcome_.epochs)},
                        {"steps", std::to_string(optimizer_.steps())},
                        {"best_epoch", std::to_string(outcome_.best_epoch)},
                        {"loss", json(loss_).dump()},
                        {"best", json(outcome_.best).dump()}};
    for (const optim::Parameter& parameter : framework_.parameters())
      checkpoint.tensors.emplace_back("parameter/" + parameter.name, parameter.value);
    for (const auto& [name, tensor] : optimizer_.state())
      checkpoint.tensors.emplace_back("optimizer/" + name, tensor);
    for (const auto& [name, tensor] : best_) checkpoint.tensors.emplace_back("best/" + name, tensor);
    save_checkpoint(checkpoint, options_.checkpoint);
    saved_at_ = Clock::now();
  }

  void restore() {
    const Checkpoint checkpoint = load_checkpoint(options_.checkpoint);
    HYPERLLM_CHECK(
        checkpoint.text("identity") == options_.identity, ErrorCode::kInvalidArgument,
        options_.checkpoint.string() +
            ": this checkpoint was made with other options or data. Give another output folder, or pass "
            "resume=false to start afresh.");
    const auto restore_tensor = [&](const std::string& name, const torch::Tensor& target) {
      const torch::Tensor& stored = checkpoint.tensor(name);
      HYPERLLM_CHECK(
          stored.sizes() == target.sizes(), ErrorCode::kInvalidData,
          options_.checkpoint.string() + ": tensor '" + name + "' has another shape than this run needs.");
      copy(stored, target);
    };
    for (const optim::Parameter& parameter : framework_.parameters()) {
      restore_tensor("parameter/" + parameter.name, parameter.value);
      best_.emplace_back(parameter.name, checkpoint.tensor("best/" + parameter.name).clone());
    }
    framework_.parameters_changed();
    for (const auto& [name, tensor] : optimizer_.state()) restore_tensor("optimizer/" + name, tensor);
    optimizer_.set_steps(std::stoll(checkpoint.text("steps")));
    outcome_.epochs = std::stoll(checkpoint.text("epoch"));
    outcome_.best_epoch = std::stoll(checkpoint.text("best_epoch"));
    loss_ = json::parse(checkpoint.text("loss")).get<double>();
    outcome_.best = json::parse(checkpoint.text("best")).get<Metrics>();
    best_score_ = score_of(outcome_.best);
    keep_log_up_to(outcome_.epochs);
    context_.info(options_.task + ": goes on after epoch " + std::to_string(outcome_.epochs));
  }

  // A killed run may have logged epochs after its last checkpoint, the last line perhaps in part.
  void keep_log_up_to(std::int64_t epoch) {
    std::string kept;
    std::ifstream log(options_.log);
    for (std::string line; std::getline(log, line);) {
      const json parsed = json::parse(line, nullptr, false);
      if (!parsed.is_object() || parsed.value("epoch", epoch + 1) > epoch) break;
      kept += line + "\n";
    }
    write_file(options_.log, kept);
  }

  frameworks::HyperLlm& framework_;
  optim::Optimizer& optimizer_;
  const Sampler& sampler_;
  manifold::Curvature curvature_;
  const data::Csr& train_items_;
  const data::Csr& valid_items_;
  const TrainerOptions& options_;
  const Context& context_;
  Outcome outcome_;
  frameworks::Batch batch_;  // its memory serves every step
  std::vector<std::pair<std::string, torch::Tensor>> best_;
  double best_score_ = 0;
  double loss_ = 0;
  std::string note_;
  Clock::time_point saved_at_ = Clock::now();
};

}  // namespace

Metrics rank_and_measure(const frameworks::Representations& representations, manifold::Curvature curvature,
                         const data::Csr& mask, const data::Csr& relevant) {
  const auto scorer = retrieval::make_embedding_scorer(
      retrieval::Geometry::kLorentz, curvature.c, manifold::const_floats(representations.users),
      manifold::const_floats(representations.items), representations.users.size(1));
  std::vector<std::int32_t> users;
  for (std::int64_t user = 0; user < relevant.rows; ++user)
    if (!relevant.row(user).empty()) users.push_back(static_cast<std::int32_t>(user));
  const data::Csr* masks[] = {&mask};
  const retrieval::TopK top = retrieval::top_k(*scorer, users, masks, 20);
  const metrics::RankingValues values =
      metrics::evaluate_ranking(users, top.items, top.k, relevant, {"recall", "ndcg"}, {10, 20});
  Metrics metrics;
  for (std::size_t i = 0; i < values.columns.size(); ++i)
    metrics.emplace_back(values.columns[i], values.means[i]);
  return metrics;
}

Outcome train(frameworks::HyperLlm& framework, optim::Optimizer& optimizer, const Sampler& sampler,
              manifold::Curvature curvature, const data::Csr& train_items, const data::Csr& valid_items,
              const TrainerOptions& options, const Context& context) {
  HYPERLLM_CHECK(options.epochs >= 0 && options.patience >= 1 && options.eval_every >= 1,
                 ErrorCode::kInvalidArgument,
                 "training: expected epochs >= 0, patience >= 1 and eval_every >= 1");
  const ReusedTensorMemory memory;
  return Run(framework, optimizer, sampler, curvature, train_items, valid_items, options, context).go();
}

}  // namespace hyperllm::training
