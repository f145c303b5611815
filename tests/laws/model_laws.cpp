#include "tests/laws/model_laws.h"

#include <nlohmann/json.hpp>
#include <numeric>
#include <sstream>

#include "hyperllm/base/files.h"
#include "hyperllm/base/parallel.h"
#include "hyperllm/baselines/popularity.h"
#include "hyperllm/frameworks/embeddings.h"
#include "hyperllm/metrics/evaluate_ranking.h"
#include "hyperllm/models/backbone.h"
#include "hyperllm/retrieval/model_files.h"
#include "tests/support/planted_dataset.h"

namespace hyperllm::test {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using stages::train::TrainOptions;

void train_in(const fs::path& output, TrainOptions options, int threads = 1) {
  fs::remove_all(output);
  options.output = output;
  set_num_threads(threads);
  stages::train::run(options, {});
  set_num_threads(0);
}

std::vector<std::int32_t> all_users(const data::Csr& matrix) {
  std::vector<std::int32_t> users;
  for (std::int64_t user = 0; user < matrix.rows; ++user) users.push_back(static_cast<std::int32_t>(user));
  return users;
}

metrics::RankingValues measure(const retrieval::Scorer& scorer, const data::Csr& mask,
                               const data::Csr& relevant) {
  const data::Csr* masks[] = {&mask};
  const auto users = all_users(relevant);
  const retrieval::TopK top = retrieval::top_k(scorer, users, masks, 20);
  return metrics::evaluate_ranking(users, top.items, top.k, relevant, {"recall", "ndcg"}, {10, 20});
}

std::vector<double> losses(const fs::path& log) {
  std::vector<double> out;
  std::istringstream text(read_file(log));
  for (std::string line; std::getline(text, line);)
    if (const json parsed = json::parse(line); parsed.contains("loss")) out.push_back(parsed.at("loss"));
  return out;
}

fs::path log_of(const fs::path& run, const TrainOptions& options) {
  return run / (options.variant == "only_semantic" ? "phase1.metrics.jsonl" : "metrics.jsonl");
}

std::string files_of(const fs::path& run) {
  std::string all;
  for (const char* file : {"model/users.npy", "model/items.npy", "model/model.json", "result.json"})
    all += read_file(run / file);
  return all;
}

bool finite(const torch::Tensor& tensor) { return torch::isfinite(tensor).all().item<bool>(); }

// Four users, four items: users 0 and 1 with items 0 and 1, users 2 and 3 with items 2 and 3.
graph::GraphPtr two_islands() {
  const std::vector<std::pair<std::int32_t, std::int32_t>> pairs = {{0, 0}, {0, 1}, {1, 0}, {1, 1},
                                                                    {2, 2}, {2, 3}, {3, 2}, {3, 3}};
  return graph::user_item_graph(data::make_csr(4, 4, pairs));
}

}  // namespace

LawBench::LawBench(fs::path where) : folder(std::move(where)), dataset(folder / "planted") {
  write_planted_dataset(dataset);
}

TrainOptions LawBench::options(const std::string& backbone, const std::string& variant) const {
  TrainOptions options;
  options.dataset = dataset;
  options.output = folder / "run";
  options.model = backbone;
  options.variant = variant;
  options.embeddings = "planted";
  options.dim = 6;
  options.layers = 2;
  options.experts = 2;
  options.batch_size = 64;
  options.margin = options.phase1_margin = 3;
  options.epochs = options.phase1_epochs = 60;
  options.lr = options.phase1_lr = 0.001;
  options.tag_loss_weight = 0.3;
  options.checkpoint_seconds = 1e9;
  return options;
}

std::string learns(const LawBench& bench, TrainOptions options) {
  const fs::path run = bench.folder / "learns";
  train_in(run, options);
  const data::Dataset data = data::load_dataset(bench.dataset);
  const data::Csr train = data.train_csr(), known = data::unite(train, data.valid_csr()),
                  relevant = data.test_csr();
  const double trained =
      measure(*retrieval::load_model(run / "model", train), known, relevant).mean("recall@10");
  const double popular =
      measure(*retrieval::make_popularity_scorer(baselines::popularity(train), data.num_users()), known,
              relevant)
          .mean("recall@10");
  if (popular > 0.7) return "the catalogue is too easy: popularity has recall " + std::to_string(popular);
  // Eight items of the user's own group are left, four of them right: whoever knows the groups finds all
  // four.
  return trained >= 0.9 ? ""
                        : "recall@10 " + std::to_string(trained) + ", popularity " + std::to_string(popular);
}

std::string loss_falls(const LawBench& bench, TrainOptions options) {
  // The first epoch may already have learnt most: the start is an epoch whose steps have no length.
  TrainOptions still = options;
  still.epochs = still.phase1_epochs = 1;
  still.lr = still.phase1_lr = 1e-12;
  train_in(bench.folder / "still", still);
  const double first = losses(log_of(bench.folder / "still", still)).at(0);
  const fs::path run = bench.folder / "loss";
  train_in(run, options);
  const std::vector<double> loss = losses(log_of(run, options));
  if (loss.size() < 10) return "only " + std::to_string(loss.size()) + " losses logged";
  const double last = std::accumulate(loss.end() - 5, loss.end(), 0.0) / 5;
  return last < 0.9 * first && last >= 0
             ? ""
             : "loss went from " + std::to_string(first) + " to " + std::to_string(last);
}

std::string same_bytes(const LawBench& bench, TrainOptions options) {
  options.epochs = options.phase1_epochs = 4;
  const fs::path one = bench.folder / "one", again = bench.folder / "again", two = bench.folder / "two";
  train_in(one, options, 1);
  train_in(again, options, 1);
  train_in(two, options, 2);
  if (files_of(one) != files_of(again)) return "two runs with one seed differ";
  if (files_of(one) != files_of(two)) return "one and two threads differ";
  for (const fs::path& run : {again, two})
    if (losses(log_of(one, options)) != losses(log_of(run, options))) return "the losses differ";
  options.seed = 2;
  train_in(again, options, 1);
  return files_of(one) != files_of(again) ? "" : "the seed changes nothing";
}

std::string saved_model_ranks_the_same(const LawBench& bench, TrainOptions options) {
  const fs::path run = bench.folder / "saved";
  options.epochs = options.phase1_epochs = 5;
  train_in(run, options);
  const data::Dataset data = data::load_dataset(bench.dataset);
  const data::Csr train = data.train_csr();
  const auto scorer = retrieval::load_model(run / "model", train);
  const metrics::RankingValues loaded = measure(*scorer, train, data.valid_csr());
  const json result = json::parse(read_file(run / "result.json"));
  for (std::size_t i = 0; i < loaded.columns.size(); ++i)
    if (result.at("valid").at(loaded.columns[i]).get<double>() != loaded.means[i])
      return loaded.columns[i] + " is " + std::to_string(loaded.means[i]) + " after loading";
  const data::Csr* masks[] = {&train};
  const auto users = all_users(train);
  const retrieval::TopK together = retrieval::top_k(*scorer, users, masks, 10);
  for (const std::int32_t user : users) {
    const std::int32_t alone[] = {user};
    const retrieval::TopK single = retrieval::top_k(*scorer, alone, masks, 10);
    if (!std::equal(single.items.begin(), single.items.end(), together.items.begin() + user * 10))
      return "user " + std::to_string(user) + " is ranked differently alone";
  }
  return "";
}

std::string uses_the_graph(const std::string& backbone) {
  const auto model = models::make_backbone(backbone, {2, 1.5, manifold::Curvature(1)});
  const torch::Tensor tangents = frameworks::uniform_tangents(8, 3, 0.2, Random(1, "tangents"));
  torch::Tensor moved = tangents.clone();
  moved[4] += 0.3;  // item 0, whom user 0 knows
  const torch::Tensor before = model->encode(tangents, two_islands()),
                      after = model->encode(moved, two_islands());
  return torch::allclose(before[0], after[0], 1e-4, 1e-5) ? "a user does not feel his item" : "";
}

std::string stays_finite(const std::string& backbone) {
  const manifold::Triplets triplets{{0, 1, 2}, {4, 5, 6}, {6, 7, 4}};
  for (const double max_radius : {1.5, 8.0})
    for (const double scale : {0.0, 1e-20, 1e-3, 1.0, 1e3, 1e15}) {
      const auto model = models::make_backbone(backbone, {3, max_radius, manifold::Curvature(1)});
      torch::Tensor tangents = (frameworks::uniform_tangents(8, 3, 1, Random(1, "tangents")) * scale)
                                   .detach()
                                   .requires_grad_(true);
      const torch::Tensor points = model->encode(tangents, two_islands());
      const std::string where = " at scale " + std::to_string(scale) + ", cap " + std::to_string(max_radius);
      if (points.sizes() != tangents.sizes()) return "points have another shape" + where;
      if (!finite(points)) return "points are not finite" + where;
      const torch::Tensor loss = model->ranking_loss(points, triplets, 1);
      if (loss.dim() != 0 || !finite(loss)) return "the loss is not a finite number" + where;
      loss.backward();
      if (!tangents.grad().defined() || !finite(tangents.grad())) return "the gradient is not finite" + where;
      const double share = model->saturation(points.detach());
      if (!(share >= 0 && share <= 1)) return "saturation is no share" + where;
    }
  return "";
}

}  // namespace hyperllm::test
