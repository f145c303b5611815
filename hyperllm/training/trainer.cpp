#include "hyperllm/training/trainer.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numeric>
#include <optional>
#include <sstream>

#include "hyperllm/artifact/event_file.h"
#include "hyperllm/base/error.h"
#include "hyperllm/base/files.h"
#include "hyperllm/base/json.h"
#include "hyperllm/base/random.h"
#include "hyperllm/manifold/fused.h"
#include "hyperllm/metrics/evaluate_ranking.h"
#include "hyperllm/training/checkpoint.h"
#include "hyperllm/training/tensor_memory.h"

namespace hyperllm::training {
namespace {

using json = nlohmann::ordered_json;
using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

std::string short_note(double loss, const Metrics& metrics) {
  char text[96];
  std::snprintf(text, sizeof text, "loss %.4g  R@20 %.4f  N@20 %.4f", loss, metrics[1].second,
                metrics[3].second);
  return text;
}

class Run {
 public:
  Run(frameworks::Framework& framework, optim::Optimizer& optimizer, const Sampler& sampler,
      const data::Csr& train_items, const data::Csr& valid_items, const TrainerOptions& options,
      const Context& context)
      : framework_(framework),
        optimizer_(optimizer),
        sampler_(sampler),
        train_items_(train_items),
        valid_items_(valid_items),
        options_(options),
        context_(context),
        users_(evaluation_users(valid_items, options.eval_users, options.seed)) {}

  Outcome go() {
    if (const auto checkpoint = checkpoint_to_continue()) {
      restore(*checkpoint);
      open_events(outcome_.epochs + 1);
    } else {
      const std::string bad = framework_.first_non_finite();
      HYPERLLM_CHECK(bad.empty(), ErrorCode::kNonFinite,
                     options_.task + ": not finite before the first step: " + bad +
                         ". Check the embeddings that training starts from.");
      write_file(options_.log, "");
      open_events(0);
      evaluate(0);
    }
    Progress progress(context_, options_.task, options_.epochs);
    progress.start_at(outcome_.epochs);
    while (outcome_.epochs < options_.epochs && !(outcome_.stopped_early = out_of_patience()) &&
           !(outcome_.paused = is_pause())) {
      run_epoch(outcome_.epochs + 1);
      progress.advance(1, note_);
      if (finished() || is_pause() || seconds_since(saved_at_) >= options_.checkpoint_seconds) save();
      if (context_.stop.stop_requested()) save();
      check_stop();
    }
    put(best_);
    return outcome_;
  }

 private:
  bool out_of_patience() const { return outcome_.epochs - outcome_.best_epoch >= options_.patience; }
  bool finished() const { return outcome_.epochs >= options_.epochs || out_of_patience(); }

  bool is_pause() const { return options_.pause_after > 0 && outcome_.epochs >= options_.pause_after; }

  static void copy(const torch::Tensor& from, torch::Tensor to) {
    const torch::NoGradGuard no_grad;
    to.copy_(from);
  }

  // By parameter, in the framework's order.
  using Values = std::vector<std::pair<std::string, torch::Tensor>>;

  Values values() const {
    Values values;
    for (const optim::Parameter& parameter : framework_.parameters())
      values.emplace_back(parameter.name, parameter.value.detach().clone());
    return values;
  }

  void put(const Values& values) {
    auto from = values.begin();
    for (const optim::Parameter& parameter : framework_.parameters()) copy((from++)->second, parameter.value);
    framework_.parameters_changed();
  }

  // The best epoch's parameters stand in for the present ones during one pass: its points kept all along
  // would take memory.
  void hand_out_best() {
    if (!options_.keep_best || kept_epoch_ == outcome_.best_epoch || finished()) return;
    const Values present = values();
    put(best_);
    options_.keep_best(outcome_.best_epoch, framework_.representations());
    put(present);
    kept_epoch_ = outcome_.best_epoch;
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

  // Goes on after `step_` steps of the epoch; leaves in mid-epoch, all saved, if a stop is requested.
  void run_epoch(std::int64_t epoch) {
    Clock::time_point at = Clock::now();
    const auto lap = [&at](double& seconds) {
      const Clock::time_point now = Clock::now();
      seconds += std::chrono::duration<double>(now - at).count();
      at = now;
    };
    const Sampler::Epoch plan = sampler_.epoch(epoch);
    const std::int64_t steps = sampler_.batches_per_epoch();
    while (step_ < steps) {
      plan.batch(step_, batch_);
      lap(outcome_.times.sampling);
      optimizer_.zero_grad();
      const torch::Tensor loss = framework_.loss(batch_, {true, options_.seed, epoch, step_});
      const double value = loss.item<double>();
      if (!std::isfinite(value)) fail_non_finite(epoch, step_);
      loss.backward();
      optimizer_.step();
      total_ += value;
      ++step_;
      ++outcome_.times.step_count;
      lap(outcome_.times.steps);
      if (step_ < steps) save_in_mid_epoch(epoch);
    }
    loss_ = total_ / static_cast<double>(steps);
    step_ = 0;
    total_ = 0;
    ++outcome_.times.epochs;
    // Before anything is kept: an update may have broken the parameters after the last finite loss.
    if (!framework_.first_non_finite().empty()) fail_non_finite(epoch, steps - 1);
    outcome_.epochs = epoch;
    if (epoch % options_.eval_every == 0 || epoch == options_.epochs) evaluate(epoch);
  }

  std::string step_text() const {
    return step_ > 0 ? " and " + std::to_string(step_) + " steps of the next" : "";
  }

  void check_stop() const {
    context_.check_stop("training", "everything up to epoch " + std::to_string(outcome_.epochs) +
                                        step_text() + " is saved, run the same command to go on");
  }

  // Long epochs: neither a stop nor a kill may cost more than checkpoint_seconds of them.
  void save_in_mid_epoch(std::int64_t epoch) {
    const bool due =
        options_.checkpoint_seconds > 0 && seconds_since(saved_at_) >= options_.checkpoint_seconds;
    if (!due && !context_.stop.stop_requested()) return;
    if (!framework_.first_non_finite().empty()) fail_non_finite(epoch, step_ - 1);
    save();
    check_stop();
  }

  void evaluate(std::int64_t epoch) {
    const Clock::time_point begin = Clock::now();
    const frameworks::Representations points = framework_.representations();
    const Metrics metrics = rank_and_measure(points, train_items_, valid_items_, users_, &ranking_);
    outcome_.times.evaluation += seconds_since(begin);
    ++outcome_.times.evaluations;
    const double score = score_of(metrics);
    if (best_.empty() || score >= best_score_) {
      best_score_ = score;
      outcome_.best_epoch = epoch;
      outcome_.best = metrics;
      best_.clear();
      best_ = values();
    }
    json line;
    line["epoch"] = epoch;
    if (epoch > 0) line["loss"] = loss_;
    for (const auto& [name, value] : metrics) line[name] = value;
    line["saturated"] = points.saturated;
    append_file(options_.log, line.dump() + "\n");
    add_events(epoch, metrics, points.saturated);
    note_ = short_note(loss_, metrics);
  }

  void open_events(std::int64_t first_epoch) {
    if (!options_.events.empty()) events_.emplace(options_.events, first_epoch);
  }

  void add_events(std::int64_t epoch, const Metrics& metrics, double saturated) {
    if (!events_) return;
    Metrics scalars;
    if (epoch > 0) scalars.emplace_back("train/loss", loss_);
    for (const auto& [name, value] : metrics) scalars.emplace_back("valid/" + name, value);
    scalars.emplace_back("train/saturated", saturated);
    events_->add(epoch, scalars);
  }

  void save() {
    hand_out_best();
    Checkpoint checkpoint;
    checkpoint.texts = {{"identity", options_.identity},
                        {"epoch", std::to_string(outcome_.epochs)},
                        {"steps", std::to_string(optimizer_.steps())},
                        {"step_of_epoch", std::to_string(step_)},
                        {"loss_of_epoch", json(total_).dump()},
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

  // None if this run starts afresh. Training that was begun with other options or on other data may have cost
  // hours: what is left of it steps aside, it is not overwritten.
  std::optional<Checkpoint> checkpoint_to_continue() const {
    if (!options_.resume || !std::filesystem::exists(options_.checkpoint)) return std::nullopt;
    Checkpoint checkpoint = load_checkpoint(options_.checkpoint);
    if (checkpoint.text("identity") == options_.identity) return checkpoint;
    const std::string kept = set_aside(options_.checkpoint);
    if (std::filesystem::exists(options_.log)) set_aside(options_.log);
    context_.warn(options_.checkpoint.string() +
                  " belongs to unfinished training with other options or data; it is kept as " + kept +
                  ", and training starts from the beginning");
    return std::nullopt;
  }

  // Renames the file to the first free NAME.aside, NAME.aside2, ...; returns that path.
  static std::string set_aside(const std::filesystem::path& file) {
    std::filesystem::path kept = file.string() + ".aside";
    for (int number = 2; std::filesystem::exists(kept); ++number)
      kept = file.string() + ".aside" + std::to_string(number);
    std::error_code code;
    std::filesystem::rename(file, kept, code);
    HYPERLLM_CHECK(!code, ErrorCode::kIo,
                   file.string() + ": cannot rename it to " + kept.string() + ": " + code.message() +
                       ". Give another output folder.");
    return kept.string();
  }

  void restore(const Checkpoint& checkpoint) {
    const auto stored = [&](const std::string& name, const torch::Tensor& target) -> const torch::Tensor& {
      const torch::Tensor& tensor = checkpoint.tensor(name);
      if (tensor.sizes() != target.sizes())
        throw data_error(options_.checkpoint.string(), 0, "",
                         "tensor '" + name + "' has another shape than this run needs",
                         "Delete the file to start this run afresh.");
      return tensor;
    };
    for (const optim::Parameter& parameter : framework_.parameters()) {
      copy(stored("parameter/" + parameter.name, parameter.value), parameter.value);
      best_.emplace_back(parameter.name, stored("best/" + parameter.name, parameter.value).clone());
    }
    framework_.parameters_changed();
    for (const auto& [name, tensor] : optimizer_.state()) copy(stored("optimizer/" + name, tensor), tensor);
    optimizer_.set_steps(checkpoint.count("steps"));
    outcome_.epochs = checkpoint.count("epoch");
    outcome_.best_epoch = checkpoint.count("best_epoch");
    step_ = checkpoint.count("step_of_epoch");
    total_ = checkpoint.number("loss_of_epoch");
    loss_ = checkpoint.number("loss");
    outcome_.best = checkpoint.numbers("best");
    best_score_ = score_of(outcome_.best);
    keep_log_up_to(outcome_.epochs);
    context_.info(options_.task + ": goes on after epoch " + std::to_string(outcome_.epochs) + step_text());
  }

  // A killed run may have logged epochs after its last checkpoint, the last line perhaps in part.
  void keep_log_up_to(std::int64_t epoch) {
    std::string kept;
    std::istringstream log(std::filesystem::exists(options_.log) ? read_file(options_.log) : "");
    std::int64_t number = 0;
    for (std::string line; std::getline(log, line);) {
      ++number;
      const json parsed = parse_json(line);
      const auto at = parsed.find("epoch");
      const bool whole = parsed.is_object() && at != parsed.end() && at->is_number_integer();
      if (!whole && log.peek() != std::istringstream::traits_type::eof())
        throw data_error(options_.log.string(), number, "epoch", "not a line of a training log",
                         "Delete the file to go on without the epochs that it tells of.");
      if (!whole || at->get<std::int64_t>() > epoch) break;
      kept += line + "\n";
    }
    write_file(options_.log, kept);
  }

  frameworks::Framework& framework_;
  optim::Optimizer& optimizer_;
  const Sampler& sampler_;
  const data::Csr& train_items_;
  const data::Csr& valid_items_;
  const TrainerOptions& options_;
  const Context& context_;
  const std::vector<std::int32_t> users_;  // validated on
  Outcome outcome_;
  frameworks::Batch batch_;  // its memory serves every step
  Values best_;
  double best_score_ = 0;
  std::int64_t kept_epoch_ = -1;  // that keep_best has had
  double loss_ = 0;
  std::int64_t step_ = 0;  // steps done of an unfinished epoch, and the sum of their losses
  double total_ = 0;
  std::string note_;
  std::optional<artifact::EventFile> events_;
  retrieval::RankingState ranking_;  // not in checkpoints: it never changes a result
  Clock::time_point saved_at_ = Clock::now();
};

}  // namespace

double score_of(const Metrics& metrics) {
  return std::accumulate(metrics.begin(), metrics.end(), 0.0,
                         [](double sum, const auto& metric) { return sum + metric.second; });
}

std::vector<std::int32_t> evaluation_users(const data::Csr& relevant, std::int64_t most, std::uint64_t seed) {
  std::vector<std::int32_t> users;
  for (std::int64_t user = 0; user < relevant.rows; ++user)
    if (!relevant.row(user).empty()) users.push_back(static_cast<std::int32_t>(user));
  if (most == 0 || std::ssize(users) <= most) return users;
  Random(seed, "evaluation users").shuffle_front(std::span(users), static_cast<std::size_t>(most));
  users.resize(most);
  std::sort(users.begin(), users.end());
  return users;
}

Metrics rank_and_measure(const frameworks::Representations& representations, const data::Csr& mask,
                         const data::Csr& relevant, std::span<const std::int32_t> users,
                         retrieval::RankingState* state) {
  const auto scorer = retrieval::make_embedding_scorer(
      representations.space, manifold::const_floats(representations.users),
      manifold::const_floats(representations.items), representations.users.size(1));
  const data::Csr* masks[] = {&mask};
  const retrieval::TopK top = retrieval::top_k(*scorer, users, masks, 20, state);
  const metrics::RankingValues values = metrics::validation_values(users, top.items, top.k, relevant);
  Metrics metrics;
  for (std::size_t i = 0; i < values.columns.size(); ++i)
    metrics.emplace_back(values.columns[i], values.means[i]);
  return metrics;
}

Outcome train(frameworks::Framework& framework, optim::Optimizer& optimizer, const Sampler& sampler,
              const data::Csr& train_items, const data::Csr& valid_items, const TrainerOptions& options,
              const Context& context) {
  HYPERLLM_CHECK(
      options.epochs >= 0 && options.patience >= 1 && options.eval_every >= 1 && options.eval_users >= 0,
      ErrorCode::kInvalidArgument,
      "training: expected epochs >= 0, patience >= 1, eval_every >= 1 and eval_users >= 0");
  const ReusedTensorMemory memory;
  return Run(framework, optimizer, sampler, train_items, valid_items, options, context).go();
}

}  // namespace hyperllm::training
