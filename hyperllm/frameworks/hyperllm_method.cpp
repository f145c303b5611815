#include "hyperllm/frameworks/hyperllm_method.h"

#include <algorithm>
#include <cmath>
#include <iterator>

#include "hyperllm/artifact/npy.h"
#include "hyperllm/base/file_set.h"
#include "hyperllm/frameworks/one_phase.h"
#include "hyperllm/kernels/bfloat16.h"
#include "hyperllm/manifold/fused.h"

namespace hyperllm::frameworks {
namespace {

namespace fs = std::filesystem;
using torch::Tensor;

std::vector<std::string> variant_names() {
  std::vector<std::string> names;
  for (const Variant& variant : kVariants) names.emplace_back(variant.name);
  return names;
}

void save_rows(AtomicFile& file, const Tensor& rows) {
  const Tensor values = rows.contiguous();
  artifact::write_npy(file, values.size(0), values.size(1), manifold::const_floats(values));
}

Tensor saved_rows(const fs::path& file, std::int64_t rows, std::int64_t cols) {
  artifact::Matrix matrix = artifact::read_npy(file);
  HYPERLLM_CHECK(matrix.rows == rows && matrix.cols == cols, ErrorCode::kInvalidData,
                 file.string() + ": has another shape than this run's phase 1 gives");
  return torch::from_blob(matrix.values.data(), {rows, cols}).clone();
}

// What phase 1 does not depend on, at one value; what these names are not, it may depend on.
std::vector<std::pair<std::string, std::string>> phase1_alone(const std::string& objective) {
  std::vector<std::pair<std::string, std::string>> alone = {{"variant", "only_semantic"},
                                                            {"objective", objective}};
  for (const char* of_phase2 :
       {"margin", "lr", "epochs", "patience", "init_scale", "tag_margin", "tag_loss_weight", "tag_tag_weight",
        "contrast_weight", "contrast_tau", "contrast_rows"})
    alone.emplace_back(of_phase2, "1");
  return alone;
}

std::unique_ptr<Embeddings> experts_of(const Materials& materials, const MoeOptions& options) {
  return make_moe(materials.semantic(), options, Random(materials.seed, "experts"));
}

// Rows no longer than the cap, as the released code's expmap0 cuts them in (12). From points very far out, weight
// decay with momentum leaves every bound.
Tensor capped_rows(const Tensor& tangents, double cap) {
  if (std::isinf(cap)) return tangents;
  return tangents * (cap / tangents.norm(2, 1, true)).clamp_max(1);
}

}  // namespace

FieldList HyperLlmMethod::fields() {
  return {
      {"variant", &chosen, "which parts of HyperLLM are used: a row of the paper's tables", variant_names()},
      {"init_embeddings", &init_embeddings,
       "start phase 2 from these (a name in DATASET/embeddings, or a folder) instead of training phase 1"},
      {"start",
       &start,
       "where phase 2 starts in variants with semantic embeddings; phase1: at the result of phase 1; "
       "columns: at "
       "the first 'dim' columns of the embeddings, without phase 1",
       {"phase1", "columns"}},
      {"start_user_distance", &start_distances.users,
       "distance of users from the origin with start = columns (in Euclidean space: their length)",
       above(0, 100)},
      {"start_item_distance", &start_distances.items, "the same for items", above(0, 100)},
      {"tag_margin", &tag_margin, "m3, margin of the tag hinge", within(0, 1e4)},
      {"tag_loss_weight", &tag_loss_weight, "weight of L_tag", within(0, 1e6)},
      {"tag_tag_weight", &tag_tag_weight, "weight of a tag-tag edge in the tag graph; the released code: 2",
       above(0, 1e6)},
      {"contrast_weight", &contrast_weight, "w, weight of the contrastive loss; 0 leaves it out",
       within(0, 1e6)},
      {"contrast_tau", &contrast_tau, "temperature of the contrastive loss", above(0, 1e4)},
      {"contrast_rows", &contrast_rows,
       "items drawn for a step's contrast, each against all items and scaled so that the expectation is that "
       "of all; 0: all",
       within(0, 2147483647)},
      {"experts", &experts, "K, experts of the mixture", within(1, 1024)},
      {"phase1_objective", &phase1_objective, "objective of phase 1; auto: what the model was published with",
       objectives::choices()},
      {"phase1_margin", &phase1_margin, "m1, margin of phase 1", within(0, 1e4)},
      {"phase1_lr", &phase1_lr, "learning rate of phase 1", above(0, 1000)},
      {"phase1_epochs", &phase1_epochs, "at most this many in phase 1", within(0, 1e6)},
      {"phase1_patience", &phase1_patience, "patience of phase 1", within(1, 1e6)},
      {"phase1_precision",
       &phase1_precision,
       "of the products with the semantic embeddings in phase 1; bfloat16 halves their memory and needs a "
       "CPU with AVX512-BF16 or AMX",
       {"float32", "bfloat16"}},
      {"tune_semantic", &tune_semantic, "without_meta only: train the semantic embeddings too"},
  };
}

const Variant& HyperLlmMethod::row() const {
  const auto found = std::find_if(std::begin(kVariants), std::end(kVariants),
                                  [&](const Variant& variant) { return variant.name == chosen; });
  HYPERLLM_CHECK(found != std::end(kVariants), ErrorCode::kInvalidArgument,
                 "there is no variant '" + chosen + "'");
  return *found;
}

bool HyperLlmMethod::has_phase1() const {
  return row().semantic && init_embeddings.empty() && !starts_at_columns();
}

void HyperLlmMethod::validate() const {
  HYPERLLM_CHECK(init_embeddings.empty() || !row().mixture, ErrorCode::kInvalidArgument,
                 "variant " + chosen + " has no phase 1 to replace; leave out 'init_embeddings'");
  HYPERLLM_CHECK(init_embeddings.empty() || row().phase2, ErrorCode::kInvalidArgument,
                 "variant " + chosen + " is phase 1 alone; leave out 'init_embeddings'");
  HYPERLLM_CHECK(
      !starts_at_columns() || (row().semantic && row().phase2), ErrorCode::kInvalidArgument,
      "variant " + chosen + " has no phase 2 that starts at semantic embeddings; leave out 'start'");
  HYPERLLM_CHECK(!starts_at_columns() || init_embeddings.empty(), ErrorCode::kInvalidArgument,
                 "'start' columns takes the run's 'embeddings'; leave out 'init_embeddings'");
  HYPERLLM_CHECK(phase1_precision == "float32" || !has_phase1() || kernels::has_fast_bfloat16(),
                 ErrorCode::kUnavailable,
                 "option 'phase1_precision': this CPU has neither AVX512-BF16 nor AMX; set it to float32");
}

Needs HyperLlmMethod::needs(const fs::path& embeddings) const {
  const Variant& variant = row();
  Needs needs;
  needs.tags = variant.tags;
  if (has_phase1() || variant.mixture) {
    needs.embeddings = embeddings;
    needs.experts = experts;
  } else if (starts_at_columns()) {
    needs.embeddings = embeddings;
  } else if (variant.semantic) {
    needs.embeddings = init_embeddings;
  }
  needs.contrast = variant.contrast && contrast_weight > 0;
  needs.contrast_rows = contrast_rows;
  return needs;
}

std::vector<Phase> HyperLlmMethod::phases(const Materials& materials) const {
  const auto x = std::make_shared<Tensor>();  // of (12)
  std::vector<Phase> phases;
  if (has_phase1()) phases.push_back(phase1(materials, x));
  if (row().phase2) phases.push_back(phase2(materials, x));
  return phases;
}

Phase HyperLlmMethod::phase1(const Materials& materials, std::shared_ptr<Tensor> result) const {
  Phase phase{.name = "phase1",
              .options = "phase1_",
              .checkpoint = "phase1.safetensors",
              .log = "phase1.metrics.jsonl",
              .objective = materials.objective_called(phase1_objective),
              .lr = phase1_lr,
              .epochs = phase1_epochs,
              .patience = phase1_patience,
              .make = {},
              .ended = {},
              .alone = phase1_alone(phase1_objective),
              .restored = {}};
  phase.make = [this, materials, objective = phase.objective](Storage) {
    const MoePrecision precision =
        phase1_precision == "bfloat16" ? MoePrecision::kBfloat16 : MoePrecision::kFloat32;
    return std::make_unique<HyperLlm>(materials.task(phase1_margin, objective), materials.train,
                                      experts_of(materials, {experts, materials.dim, false, precision}),
                                      std::nullopt);
  };
  phase.ended = [result, nodes = materials.nodes()](const Framework& framework, const fs::path& run) {
    *result = static_cast<const HyperLlm&>(framework).tangents();
    const fs::path folder = run / "phase1";
    FileSet files(folder);
    save_rows(files.add("users.npy"), result->narrow(0, 0, nodes.users));
    save_rows(files.add("items.npy"), result->narrow(0, nodes.users, nodes.items));
    files.commit();
    return std::vector<fs::path>{folder / "users.npy", folder / "items.npy"};
  };
  phase.restored = [result, nodes = materials.nodes(), dim = materials.dim](const fs::path& run) {
    *result = torch::cat({saved_rows(run / "phase1" / "users.npy", nodes.users, dim),
                          saved_rows(run / "phase1" / "items.npy", nodes.items, dim)});
  };
  return phase;
}

Phase HyperLlmMethod::phase2(const Materials& materials, std::shared_ptr<Tensor> of_phase1) const {
  Phase phase{.name = "phase2",
              .options = "",
              .checkpoint = "checkpoint.safetensors",
              .log = "metrics.jsonl",
              .objective = materials.objective,
              .lr = materials.lr,
              .epochs = materials.epochs,
              .patience = materials.patience,
              .make = {},
              .ended = {},
              .alone = {},
              .restored = {}};
  phase.make = [this, materials, of_phase1](Storage storage) {
    const auto table = [&](const Tensor& tangents) {
      return make_table("id_embeddings", tangents, storage, materials.backbone->space().curvature);
    };
    std::unique_ptr<Embeddings> embeddings;
    if (row().mixture)
      embeddings = experts_of(materials, {experts, materials.dim, tune_semantic, MoePrecision::kFloat32});
    else if (of_phase1->defined())
      embeddings = table(capped_rows(*of_phase1, materials.backbone->cap()));
    else if (starts_at_columns())
      embeddings = table(column_start(materials.semantic(), random_tangents(materials, materials.dim),
                                      materials.nodes(), start_distances, materials.backbone->space()));
    else if (row().semantic)
      embeddings = table(materials.start());
    else
      embeddings = table(random_tangents(materials, materials.dim));
    std::optional<TagTask> tags;
    if (row().tags) tags = tag_task(materials, storage);
    return std::make_unique<HyperLlm>(materials.task(materials.margin, materials.objective), materials.train,
                                      std::move(embeddings), std::move(tags));
  };
  return phase;
}

TagTask HyperLlmMethod::tag_task(const Materials& materials, Storage storage) const {
  TagTask task;
  task.graph = graph::tag_graph(*materials.tags, materials.nodes().items, tag_tag_weight);
  task.tags = materials.tags;
  task.embeddings =
      make_table("tag_embeddings",
                 uniform_tangents(static_cast<std::int64_t>(materials.tags->tags.size()), materials.dim,
                                  materials.init_scale, Random(materials.seed, "tag embeddings")),
                 storage, materials.backbone->space().curvature);
  task.margin = tag_margin;
  task.loss_weight = tag_loss_weight;
  task.contrast_weight = row().contrast ? contrast_weight : 0;
  task.contrast_tau = contrast_tau;
  task.contrast_rows = contrast_rows;
  return task;
}

void add_hyperllm(Registry<Method>& to) {
  // No prefix: its options are older than the other frameworks.
  to.add("hyperllm", "the paper's, in the variants of its tables", HyperLlmMethod(), "");
}

}  // namespace hyperllm::frameworks
