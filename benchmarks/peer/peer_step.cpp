// Writes the inputs of a few training steps of HyperLLM with tags and contrast, and what hyperllm makes of
// them: losses, gradients with respect to the tangent embeddings, points after the steps.
// benchmarks/peer/peer.py computes the same in PyTorch and compares:  peer_step FOLDER && python3
// benchmarks/peer/peer.py check FOLDER
#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "hyperllm/artifact/npy.h"
#include "hyperllm/base/files.h"
#include "hyperllm/data/synthetic.h"
#include "hyperllm/frameworks/hyperllm.h"
#include "hyperllm/manifold/fused.h"
#include "hyperllm/models/model.h"
#include "hyperllm/optim/optimizer.h"
#include "hyperllm/training/sampler.h"

namespace {

namespace fs = std::filesystem;
using namespace hyperllm;
using frameworks::Storage;

constexpr std::int64_t kDim = 49, kLayers = 3, kSteps = 3;
constexpr double kMargin = 1.6, kTagMargin = 0.9, kTagTagWeight = 2, kContrastWeight = 0.01, kTau = 0.5;
constexpr double kScale = 0.3;  // of the start: some representations reach the cap of 1.5, others do not

struct Problem {
  data::Synthetic made;
  data::Csr train;
  torch::Tensor ids, tags;  // tangents
  frameworks::Batch batch;
};

Problem make_problem() {
  data::SyntheticShape shape;
  shape.users = 400;
  shape.items = 300;
  shape.interactions = 4000;
  shape.tags = 128;
  shape.tag_edges = 256;
  shape.tag_items = 1200;
  Problem problem;
  problem.made = data::make_synthetic(shape);
  problem.train = problem.made.dataset.train_csr();
  problem.ids = frameworks::uniform_tangents(shape.users + shape.items, kDim, kScale, Random(1, "ids"));
  problem.tags = frameworks::uniform_tangents(shape.tags, kDim, kScale, Random(1, "tags"));
  training::SamplerOptions sampling;
  sampling.batch_size = 1000;
  const training::Sampler sampler(
      frameworks::hyperllm_draws(std::make_shared<const data::Csr>(problem.train), &problem.made.tags),
      sampling);
  sampler.epoch(1).batch(0, problem.batch);
  return problem;
}

frameworks::HyperLlm make_model(const Problem& problem, Storage storage) {
  const manifold::Curvature unit(1);
  frameworks::TagTask task;
  task.graph = graph::tag_graph(problem.made.tags, problem.train.cols, kTagTagWeight);
  task.embeddings = frameworks::make_table("tags", problem.tags, storage, unit);
  task.margin = kTagMargin;
  task.contrast_weight = kContrastWeight;
  task.contrast_tau = kTau;
  return frameworks::HyperLlm({models::make_backbone("hgcf", {kLayers, 1.5, unit}),
                               graph::user_item_graph(problem.train),
                               {problem.train.rows, problem.train.cols},
                               objectives::make_objective("hinge"),
                               kMargin},
                              nullptr, frameworks::make_table("ids", problem.ids, storage, unit),
                              std::move(task));
}

void save(const fs::path& folder, const std::string& name, const torch::Tensor& values) {
  const torch::Tensor rows = values.detach().contiguous();
  artifact::write_npy(folder / (name + ".npy"), rows.size(0), rows.size(1), manifold::const_floats(rows));
}

void save_ids(const fs::path& folder, const std::string& name,
              const std::vector<std::vector<std::int32_t>>& columns) {
  std::vector<float> values;  // small ids: exact
  for (std::size_t row = 0; row < columns[0].size(); ++row)
    for (const auto& column : columns) values.push_back(static_cast<float>(column[row]));
  artifact::write_npy(folder / (name + ".npy"), std::ssize(columns[0]), std::ssize(columns), values);
}

void save(const fs::path& folder, const std::string& name,
          const std::vector<std::pair<std::int32_t, std::int32_t>>& pairs) {
  std::vector<std::vector<std::int32_t>> columns(2);
  for (const auto& [a, b] : pairs) {
    columns[0].push_back(a);
    columns[1].push_back(b);
  }
  save_ids(folder, name, columns);
}

void save(const fs::path& folder, const std::string& name, const frameworks::Pairs& pairs) {
  save_ids(folder, name, {pairs.anchor, pairs.positive, pairs.candidates});
}

void write(const fs::path& folder) {
  const Problem problem = make_problem();
  make_folder(folder);
  save(folder, "ids", problem.ids);
  save(folder, "tags", problem.tags);
  save_ids(folder, "train", {problem.made.dataset.train.user, problem.made.dataset.train.item});
  save(folder, "tag_tag", problem.made.tags.edges);
  save(folder, "tag_item", problem.made.tags.tag_items);
  save(folder, "triplets_user_item", problem.batch.pairs[0]);
  save(folder, "triplets_tag_item", problem.batch.pairs[1]);
  save(folder, "triplets_tag_tag", problem.batch.pairs[2]);

  const frameworks::HyperLlm tangents = make_model(problem, Storage::kTangents);
  tangents.loss(problem.batch, {}).backward();
  for (const optim::Parameter& parameter : tangents.parameters())
    save(folder, "gradient_" + parameter.name, parameter.value.grad());

  optim::OptimizerOptions rsgd;
  rsgd.max_radius = 1.5;
  const frameworks::HyperLlm points = make_model(problem, Storage::kPoints);
  const auto optimizer = optim::make_optimizer(points.parameters(), rsgd);
  std::vector<double> losses;
  for (std::int64_t step = 0; step < kSteps; ++step) {
    optimizer->zero_grad();
    const torch::Tensor loss = points.loss(problem.batch, {true, 1, 1, step});
    losses.push_back(loss.item<double>());
    loss.backward();
    optimizer->step();
  }
  for (const optim::Parameter& parameter : points.parameters())
    save(folder, "after_" + parameter.name, parameter.value);
  nlohmann::ordered_json meta;
  meta["sizes"] = {{"users", problem.train.rows}, {"items", problem.train.cols}};
  meta["settings"] = {{"layers", kLayers},
                      {"margin", kMargin},
                      {"tag_margin", kTagMargin},
                      {"tag_tag_weight", kTagTagWeight},
                      {"contrast_weight", kContrastWeight},
                      {"contrast_tau", kTau},
                      {"lr", rsgd.lr},
                      {"momentum", rsgd.momentum},
                      {"weight_decay", rsgd.weight_decay}};
  meta["losses"] = losses;
  write_file(folder / "step.json", meta.dump(2) + "\n");
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: peer_step FOLDER\n");
    return 2;
  }
  try {
    write(argv[1]);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "peer_step: %s\n", error.what());
    return 1;
  }
  return 0;
}
