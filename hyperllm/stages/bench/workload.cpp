#include "hyperllm/stages/bench/workload.h"

#include <algorithm>
#include <chrono>
#include <numeric>

#include "hyperllm/manifold/fused.h"
#include "hyperllm/models/model.h"
#include "hyperllm/optim/optimizer.h"
#include "hyperllm/training/trainer.h"

namespace hyperllm::stages::bench {
namespace {

using torch::Tensor;

// What is measured whole; beyond it a part is measured and scaled.
constexpr double kPairsAtOnce = 2e8;
constexpr std::int64_t kUsersAtOnce = 20'000;

constexpr std::uint64_t kSeed = 1;
constexpr double kScale = 0.1, kMargin = 1.6, kTau = 0.5;

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// As before every step: adding to those of the repetition before would be work that training does not have.
void forget_gradients(std::initializer_list<Tensor> leaves) {
  for (const Tensor& leaf : leaves) leaf.mutable_grad() = Tensor();
}

}  // namespace

double median_seconds(double budget, const std::function<void()>& body) {
  constexpr std::size_t kMost = 1000;
  std::vector<double> seconds;
  body();  // the first time makes buffers and touches pages
  const double start = now();
  do {
    const double begin = now();
    body();
    seconds.push_back(now() - begin);
  } while (now() - start + seconds.back() < budget && seconds.size() < kMost);
  const auto middle = seconds.begin() + std::ssize(seconds) / 2;
  std::nth_element(seconds.begin(), middle, seconds.end());
  return *middle;
}

Workload::Workload(const BenchOptions& options, data::Synthetic data)
    : options_(options),
      dataset_(std::move(data.dataset)),
      train_(std::make_shared<const data::Csr>(dataset_.train_csr())),
      valid_(dataset_.valid_csr()),
      model_(models::models().make(options.model)),
      backbone_(models::make_backbone(*model_, {options.layers, 1.5, manifold::Curvature(1)})),
      objective_(objectives::make_objective(models::objective_for(*model_, options.objective))),
      user_item_(graph::user_item_graph(*train_)) {
  if (data.tags.tags.empty()) return;
  tags_ = std::make_shared<const data::TagGraph>(std::move(data.tags));
  tag_graph_ = graph::tag_graph(*tags_, train_->cols, 1);
}

std::int64_t Workload::contrast_rows() const {
  return options_.contrast_rows > 0 ? std::min(options_.contrast_rows, train_->cols) : train_->cols;
}

// Rows that all propagations of a step read: forward and backward, every layer, every entry.
std::int64_t Workload::gathered_rows() const {
  return 2 * options_.layers * (user_item_->nnz() + (tag_graph_ ? tag_graph_->nnz() : 0));
}

std::unique_ptr<frameworks::Framework> Workload::framework(bool contrast) const {
  const auto method = frameworks::methods().make("hyperllm");
  const FieldList fields = method->fields();
  const auto set = [&](const char* name, const std::string& text) {
    assign_field(find_field(fields, name, "bench"), text);
  };
  set("variant", tags_ ? "structural" : "base");
  set("contrast_rows", std::to_string(options_.contrast_rows));
  if (!contrast) set("contrast_weight", "0");
  frameworks::Materials materials;
  materials.train = train_;
  materials.tags = tags_;
  materials.user_item = user_item_;
  materials.backbone = backbone_;
  materials.objective = objective_;
  materials.dim = options_.dim;
  materials.init_scale = kScale;
  materials.seed = kSeed;
  return method->phases(materials).back().make(
      frameworks::storage_for(backbone_->space(), models::optimizer_for(*model_, *objective_, "auto")));
}

double Workload::step(frameworks::Framework& model, optim::Optimizer& optimizer) {
  std::int64_t at = 0;
  const auto once = [&] {
    optimizer.zero_grad();
    model.loss(batches_[at % std::ssize(batches_)], {true, kSeed, 1, at}).backward();
    optimizer.step();
    ++at;
  };
  return median_seconds(2 * options_.seconds, once);
}

double Workload::contrast() {
  const std::int64_t items = train_->cols, wanted = contrast_rows();
  const auto rows =
      std::clamp<std::int64_t>(static_cast<std::int64_t>(kPairsAtOnce / static_cast<double>(items)),
                               std::min<std::int64_t>(64, wanted), wanted);
  const Tensor tangents =
      frameworks::uniform_tangents(2 * items, options_.dim, kScale, Random(kSeed, "contrast"));
  const Tensor points = manifold::expmap0_rows(10 * tangents, manifold::Curvature(1), 1.5);
  const Tensor x = points.narrow(0, 0, rows).contiguous().requires_grad_(true);
  const Tensor y = points.narrow(0, items, items).contiguous().requires_grad_(true);
  std::vector<std::int64_t> same(rows);
  std::iota(same.begin(), same.end(), std::int64_t{0});
  const double seconds = median_seconds(options_.seconds, [&] {
    forget_gradients({x, y});
    manifold::softmax_contrast(x, y, same, manifold::Curvature(1), kTau).backward();
  });
  return seconds * static_cast<double>(wanted) / static_cast<double>(rows);
}

double Workload::propagation() {
  const auto one = [&](const graph::GraphPtr& graph) {
    const Tensor x = torch::full({graph->nodes(), options_.dim}, 0.01F).requires_grad_(true);
    const Tensor ones = torch::ones_like(x);
    return median_seconds(options_.seconds / 2, [&] {
      forget_gradients({x});
      graph::propagate_sum(graph, x, options_.layers).backward(ones);
    });
  };
  return one(user_item_) + (tag_graph_ ? one(tag_graph_) : 0);
}

double Workload::pair_losses() {
  const auto one = [&](std::int64_t nodes, std::span<const frameworks::Pairs> batch) {
    const Tensor h = frameworks::uniform_tangents(nodes, options_.dim, kScale, Random(kSeed, "triplets"))
                         .requires_grad_(true);
    return median_seconds(options_.seconds / 4, [&] {
      forget_gradients({h});
      for (const frameworks::Pairs& pairs : batch) {
        const objectives::Task task{pairs, {0, nodes}};
        objective_->loss(h, {&task, 1}, kMargin, backbone_->space()).backward();
      }
    });
  };
  const std::span<const frameworks::Pairs> batch = batches_.front().pairs;
  return one(user_item_->nodes(), batch.first(1)) +
         (tag_graph_ ? one(tag_graph_->nodes(), batch.subspan(1)) : 0);
}

double Workload::evaluation() {
  const auto model = framework(false);
  const std::vector<std::int32_t> all = training::evaluation_users(valid_, 0, kSeed),
                                  some = training::evaluation_users(valid_, kUsersAtOnce, kSeed);
  if (all.empty()) return 0;
  frameworks::Representations points;
  const double encode = median_seconds(options_.seconds / 2, [&] { points = model->representations(); });
  const double rank =
      median_seconds(options_.seconds, [&] { training::rank_and_measure(points, *train_, valid_, some); });
  return encode + rank * static_cast<double>(all.size()) / static_cast<double>(some.size());
}

void Workload::measure(BenchResult& result) {
  const double pairs = static_cast<double>(contrast_rows()) * static_cast<double>(train_->cols);
  const bool with_contrast = tag_graph_ != nullptr;
  // Measured whole where that is quick.
  const bool whole = with_contrast && pairs <= kPairsAtOnce;
  const auto model = framework(whole);
  training::SamplerOptions sampling;
  sampling.batch_size = options_.batch_size;
  const training::Sampler sampler(model->draws(), sampling);
  result.steps_per_epoch = sampler.batches_per_epoch();
  batches_.resize(std::min<std::int64_t>(result.steps_per_epoch, 16));
  const double sampled = median_seconds(options_.seconds / 2, [&] {
    const training::Sampler::Epoch epoch = sampler.epoch(1);
    for (std::int64_t b = 0; b < result.steps_per_epoch; ++b) epoch.batch(b, batches_[b % batches_.size()]);
  });

  optim::OptimizerOptions optimizing;
  optimizing.method = models::optimizer_for(*model_, *objective_, "auto");
  const auto optimizer = optim::make_optimizer(model->parameters(), optimizing);
  result.step_ms = 1e3 * step(*model, *optimizer);
  const double update = median_seconds(options_.seconds / 4, [&] { optimizer->step(); });

  const auto add = [&](const char* name, double seconds, double work, const char* unit) {
    result.parts.push_back(
        {name, 1e3 * seconds, work > 0 ? work / seconds / 1e9 : 0, 0, work > 0 ? unit : ""});
  };
  if (with_contrast) {
    const double seconds = contrast();
    if (!whole) result.step_ms += 1e3 * seconds;
    // Scores and both gradients: three products over the ambient coordinates.
    add("contrast", seconds, 6 * pairs * static_cast<double>(options_.dim + 1), "GFLOP/s");
  }
  add("propagation", propagation(), static_cast<double>(gathered_rows() * options_.dim * 4), "GB/s");
  add("triplet losses", pair_losses(), 0, "");
  add("optimizer", update, 0, "");
  add("sampling", sampled / static_cast<double>(result.steps_per_epoch), 0, "");
  result.evaluation_ms = 1e3 * evaluation();
}

}  // namespace hyperllm::stages::bench
