#include "tests/laws/model_laws.h"

#include <cmath>
#include <nlohmann/json.hpp>
#include <numeric>
#include <sstream>

#include "hyperllm/base/files.h"
#include "hyperllm/base/parallel.h"
#include "hyperllm/baselines/popularity.h"
#include "hyperllm/frameworks/hyperllm.h"
#include "hyperllm/frameworks/kar.h"
#include "hyperllm/frameworks/rlmrec_con.h"
#include "hyperllm/frameworks/rlmrec_gen.h"
#include "hyperllm/manifold/fused.h"
#include "hyperllm/metrics/evaluate_ranking.h"
#include "hyperllm/models/model.h"
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

// At most so many epochs in every phase.
void shorten(TrainOptions& options, std::int64_t epochs) {
  options.epochs = epochs;
  const FieldList fields = options.fields();
  if (const Field& phase1 = find_field(fields, "phase1_epochs", "test"); counts(phase1, fields))
    assign_field(phase1, std::to_string(epochs));
}

// Steps of no length, in every group of parameters.
void stand_still(TrainOptions& options) {
  const FieldList fields = options.fields();
  for (const Field& field : fields)
    if ((field.name == "lr" || field.name.ends_with("_lr")) && counts(field, fields))
      assign_field(field, "1e-12");
}

fs::path log_of(const fs::path& run) {
  const fs::path last = run / "metrics.jsonl";  // of phase 2, where there is one
  return fs::exists(last) ? last : run / "phase1.metrics.jsonl";
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
  TrainOptions options = in_framework(backbone, "hyperllm");
  options.set("variant", variant);
  options.set("experts", "2");
  options.set("phase1_margin", "3");
  options.set("phase1_epochs", "60");
  options.set("phase1_lr", "0.001");
  options.set("tag_loss_weight", "0.3");
  return options;
}

TrainOptions LawBench::in_framework(const std::string& backbone, const std::string& framework) const {
  TrainOptions options;
  options.dataset = dataset;
  options.output = folder / "run";
  options.model = backbone;
  options.framework = framework;
  options.objective = "auto";
  options.patience = 50;
  options.embeddings = "planted";
  options.dim = 6;
  options.layers = 2;
  options.batch_size = 64;
  options.margin = 3;
  options.epochs = 60;
  options.lr = 0.001;
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
  shorten(still, 1);
  stand_still(still);
  train_in(bench.folder / "still", still);
  const double first = losses(log_of(bench.folder / "still")).at(0);
  const fs::path run = bench.folder / "loss";
  train_in(run, options);
  const std::vector<double> loss = losses(log_of(run));
  if (loss.size() < 10) return "only " + std::to_string(loss.size()) + " losses logged";
  const double last = std::accumulate(loss.end() - 5, loss.end(), 0.0) / 5;
  return last < 0.9 * first && last >= 0
             ? ""
             : "loss went from " + std::to_string(first) + " to " + std::to_string(last);
}

std::string same_bytes(const LawBench& bench, TrainOptions options) {
  shorten(options, 4);
  const fs::path one = bench.folder / "one", again = bench.folder / "again", two = bench.folder / "two";
  train_in(one, options, 1);
  train_in(again, options, 1);
  train_in(two, options, 2);
  if (files_of(one) != files_of(again)) return "two runs with one seed differ";
  if (files_of(one) != files_of(two)) return "one and two threads differ";
  for (const fs::path& run : {again, two})
    if (losses(log_of(one)) != losses(log_of(run))) return "the losses differ";
  options.seed = 2;
  train_in(again, options, 1);
  return files_of(one) != files_of(again) ? "" : "the seed changes nothing";
}

std::string saved_model_ranks_the_same(const LawBench& bench, TrainOptions options) {
  const fs::path run = bench.folder / "saved";
  shorten(options, 5);
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

std::string saved_in_the_validated_space(const LawBench& bench, TrainOptions options) {
  const fs::path run = bench.folder / "space";
  shorten(options, 2);
  train_in(run, options);
  const models::Space space = models::make_backbone(options.model, {options.layers, options.max_radius,
                                                                    manifold::Curvature(options.curvature)})
                                  ->space();
  const json saved = json::parse(read_file(run / "model" / "model.json"));
  const char* const kNames[] = {"lorentz", "poincare", "euclidean"};
  if (saved.at("geometry") != kNames[static_cast<int>(space.geometry)]) return "saved as " + saved.dump();
  if (space.geometry != models::Geometry::kEuclidean && saved.at("curvature") != space.curvature.c)
    return "of curvature " + std::to_string(space.curvature.c) + ", saved as " + saved.dump();
  return saved_model_ranks_the_same(bench, options);
}

std::string uses_the_graph(const std::string& backbone, const OwnTexts& options) {
  const auto named = models::models().make(backbone);
  for (const auto& [name, text] : options) assign_field(find_field(named->fields(), name, backbone), text);
  const auto model = models::make_backbone(*named, {2, 1.5, manifold::Curvature(1)});
  const torch::Tensor tangents = frameworks::uniform_tangents(8, 3, 0.2, Random(1, "tangents"));
  torch::Tensor moved = tangents.clone();
  moved[4] += 0.3;  // item 0, whom user 0 knows
  const torch::Tensor before = model->encode(tangents, two_islands(), {}),
                      after = model->encode(moved, two_islands(), {});
  if (torch::allclose(before[0], after[0], 1e-4, 1e-5)) return "a user does not feel their item";
  for (const std::int64_t node : {2, 3, 6, 7})
    if (!torch::allclose(before[node], after[node], 1e-6, 1e-7))
      return "node " + std::to_string(node) + " feels the other island";
  return "";
}

std::string stays_finite(const std::string& backbone) {
  const objectives::Pairs pairs{{0, 1, 2}, {4, 5, 6}, {6, 7, 4}};
  const objectives::Task task{pairs, {4, 4}};
  for (const std::string& name : objectives::objectives().names())
    for (const double max_radius : {1.5, 8.0})
      for (const double scale : {0.0, 1e-20, 1e-3, 1.0, 1e3, 1e15}) {
        const auto model = models::make_backbone(backbone, {3, max_radius, manifold::Curvature(1)});
        torch::Tensor tangents = (frameworks::uniform_tangents(8, 3, 1, Random(1, "tangents")) * scale)
                                     .detach()
                                     .requires_grad_(true);
        const torch::Tensor points = model->encode(tangents, two_islands(), {true, 1, 1, 0});
        const std::string where =
            " at scale " + std::to_string(scale) + ", cap " + std::to_string(max_radius) + ", " + name;
        if (points.sizes() != tangents.sizes()) return "points have another shape" + where;
        if (!finite(points)) return "points are not finite" + where;
        const torch::Tensor loss =
            objectives::make_objective(name)->loss(points, {&task, 1}, 1, model->space());
        if (loss.dim() != 0 || !finite(loss)) return "the loss is not a finite number" + where;
        loss.backward();
        if (!tangents.grad().defined() || !finite(tangents.grad()))
          return "the gradient is not finite" + where;
        const double share = models::saturation(points.detach(), model->space(), model->cap());
        if (!(share >= 0 && share <= 1)) return "saturation is no share" + where;
      }
  return "";
}

std::string same_pass_same_bytes(const std::string& backbone) {
  const auto model = models::make_backbone(backbone, {2, 1.5, manifold::Curvature(1)});
  const torch::Tensor tangents = frameworks::uniform_tangents(8, 3, 0.2, Random(1, "tangents"));
  const torch::NoGradGuard no_grad;
  const auto encode = [&](const models::Pass& pass) { return model->encode(tangents, two_islands(), pass); };
  const torch::Tensor evaluated = encode({});
  if (!torch::equal(evaluated, encode({false, 7, 3, 5})))
    return "an evaluation depends on seed, epoch or step";
  bool draws = false, anew = false;
  torch::Tensor previous;
  for (std::int64_t step = 0; step < 20; ++step) {
    const models::Pass pass{true, 1, 1, step};
    const torch::Tensor points = encode(pass);
    encode({true, 2, 9, step});
    if (!torch::equal(points, encode(pass))) return "equal passes differ";
    draws = draws || !torch::equal(points, evaluated);
    anew = anew || (previous.defined() && !torch::equal(points, previous));
    previous = points;
  }
  if (draws && !anew) return "all steps draw the same";
  return torch::equal(evaluated, encode({})) ? "" : "training passes change an evaluation";
}

namespace {

std::unique_ptr<frameworks::Framework> on_the_islands(std::shared_ptr<const models::Backbone> backbone,
                                                      std::shared_ptr<const frameworks::Objective> objective,
                                                      bool with_tags) {
  const manifold::Curvature curvature = backbone->space().curvature;
  const auto table = [&](const char* name, std::int64_t rows) {
    return frameworks::make_table(name, frameworks::uniform_tangents(rows, 3, 0.2, Random(1, name)),
                                  frameworks::Storage::kTangents, curvature);
  };
  std::optional<frameworks::TagTask> tags;
  if (with_tags) {
    data::TagGraph graph;
    graph.tags = {{"a", 1}, {"b", 1}};
    graph.edges = {{0, 1}};
    graph.tag_items = {{0, 0}, {0, 1}, {1, 2}};
    tags.emplace();
    tags->graph = graph::tag_graph(graph, 4, 1);
    tags->embeddings = table("tags", 2);
  }
  return std::make_unique<frameworks::HyperLlm>(
      frameworks::UserItemTask{std::move(backbone), two_islands(), {4, 4}, std::move(objective)}, nullptr,
      table("ids", 8), std::move(tags));
}

}  // namespace

std::unique_ptr<frameworks::Framework> base_framework(
    std::shared_ptr<const models::Backbone> backbone,
    std::shared_ptr<const frameworks::Objective> objective) {
  return on_the_islands(std::move(backbone), std::move(objective), false);
}

std::unique_ptr<frameworks::Framework> structural_framework(
    std::shared_ptr<const models::Backbone> backbone,
    std::shared_ptr<const frameworks::Objective> objective) {
  return on_the_islands(std::move(backbone), std::move(objective), true);
}

namespace {

frameworks::UserItemTask island_task(std::shared_ptr<const models::Backbone> backbone,
                                     std::shared_ptr<const frameworks::Objective> objective) {
  return {std::move(backbone), two_islands(), {4, 4}, std::move(objective)};
}

std::unique_ptr<frameworks::Embeddings> island_table(std::int64_t rows, const char* name) {
  return frameworks::make_table(name, frameworks::uniform_tangents(rows, 3, 0.2, Random(1, name)),
                                frameworks::Storage::kTangents, {});
}

torch::Tensor island_semantic() { return frameworks::uniform_tangents(8, 5, 1, Random(1, "semantic")); }

}  // namespace

std::unique_ptr<frameworks::Framework> kar_framework(std::shared_ptr<const models::Backbone> backbone,
                                                     std::shared_ptr<const frameworks::Objective> objective) {
  return std::make_unique<frameworks::Kar>(
      island_task(std::move(backbone), std::move(objective)), nullptr, island_table(8, "ids"),
      frameworks::Adaptor(island_semantic(), {4, 4}, {.hidden = 4, .dim = 3}, Random(1, "kar")));
}

std::unique_ptr<frameworks::Framework> rlmrec_con_framework(
    std::shared_ptr<const models::Backbone> backbone,
    std::shared_ptr<const frameworks::Objective> objective) {
  return std::make_unique<frameworks::RlmrecCon>(island_task(std::move(backbone), std::move(objective)),
                                                 nullptr, island_table(8, "ids"), island_semantic(), 3,
                                                 frameworks::AlignmentOptions{}, Random(1, "con"));
}

std::unique_ptr<frameworks::Framework> rlmrec_gen_framework(
    std::shared_ptr<const models::Backbone> backbone,
    std::shared_ptr<const frameworks::Objective> objective) {
  return std::make_unique<frameworks::RlmrecGen>(island_task(std::move(backbone), std::move(objective)),
                                                 nullptr, island_table(8, "ids"), island_semantic(), 3,
                                                 frameworks::ReconstructionOptions{}, Random(1, "gen"));
}

namespace {

// HGCF with a loss of its own.
class Pulled : public models::Backbone {
 public:
  explicit Pulled(double weight) : weight_(weight) {}
  models::Space space() const override { return hgcf_->space(); }
  torch::Tensor encode(const torch::Tensor& tangents, const graph::GraphPtr& graph,
                       const models::Pass& pass) const override {
    return hgcf_->encode(tangents, graph, pass);
  }
  torch::Tensor auxiliary_loss(const models::Encoded& encoded, const models::Pass&) const override {
    if (weight_ == 0) return {};
    // What is given must be what it says.
    if (encoded.nodes.users != 4 || encoded.nodes.items != 4 || encoded.pairs.size() != 3 ||
        !torch::equal(encoded.points, encode(encoded.tangents, encoded.graph, {})))
      return torch::full({}, NAN, torch::kDouble);
    return weight_ * (encoded.points.square().sum() + encoded.tangents.square().sum()).to(torch::kDouble);
  }

 private:
  double weight_;
  std::unique_ptr<models::Backbone> hgcf_ = models::make_backbone("hgcf", {2, 1.5, manifold::Curvature(1)});
};

}  // namespace

std::string auxiliary_loss_counts(const FrameworkOf& make) {
  // User-item, and what a framework with tags takes besides: items 0 to 3, tags 4 and 5.
  const frameworks::Batch batch{
      {{{0, 1, 2}, {4, 5, 6}, {6, 7, 4}}, {{4, 5}, {0, 2}, {3, 1}}, {{4}, {5}, {4}}}, {}};
  for (const std::string& name : objectives::objectives().names()) {
    const auto of = [&](double weight) {
      const auto framework = make(std::make_shared<Pulled>(weight), objectives::make_objective(name));
      const torch::Tensor loss = framework->loss(batch, {true, 1, 1, 0});
      loss.backward();
      return std::pair(loss.item<double>(), framework->parameters().at(0).leaf().grad().clone());
    };
    const auto without = of(0), once = of(1), thrice = of(3);
    const double value = once.first - without.first;
    if (!(std::abs(value) > 1e-3)) return "its value does not count under " + name;
    if (!(std::abs(thrice.first - without.first - 3 * value) < 1e-4))
      return "its weight is lost under " + name;
    const torch::Tensor gradient = once.second - without.second;
    if (!(gradient.abs().max().item<double>() > 1e-3)) return "its gradient does not count under " + name;
    if (!torch::allclose(thrice.second - without.second, 3 * gradient, 1e-3, 1e-4))
      return "its gradient loses its weight under " + name;
  }
  return "";
}

}  // namespace hyperllm::test
