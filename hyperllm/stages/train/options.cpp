#include "hyperllm/stages/train/options.h"

#include "hyperllm/base/error.h"
#include "hyperllm/kernels/bfloat16.h"

namespace hyperllm::stages::train {

FieldList TrainOptions::fields() {
  return {
      {"dataset", &dataset, "dataset folder, made by prepare"},
      {"output", &output, "run folder: model, metrics, checkpoints"},
      {"model", &model, "popular, ease, or a backbone: hgcf"},
      {"variant",
       &variant,
       "what surrounds the backbone",
       {"base", "structural", "semantic", "hyperllm", "without_meta", "only_semantic", "without_contrast"}},
      {"objective",
       &objective,
       "hinge: the paper's margin loss; softmax: over all items on -d^2/tau",
       {"hinge", "softmax"}},
      {"embeddings", &embeddings,
       "semantic embeddings for phase 1: a name in DATASET/embeddings, or a folder"},
      {"init_embeddings", &init_embeddings,
       "start phase 2 from these (a name in DATASET/embeddings, or a folder) instead of training phase 1"},
      {"seed", &seed, "of initialisation and sampling", at_least(0)},
      {"dim", &dim, "dimensions of the hyperbolic space; the paper's 50 count the time coordinate: 49",
       within(1, 4096)},
      {"layers", &layers, "propagation steps", within(1, 100)},
      {"curvature", &curvature, "c of the sectional curvature -c", above(0, 1e4)},
      {"max_radius", &max_radius, "cap on the distance of representations from the origin; 0: none",
       within(0, 100)},
      {"init_scale", &init_scale, "random embeddings start uniform in +- this", within(0, 100)},
      {"margin", &margin, "m2, margin of the user-item hinge", within(0, 1e4)},
      {"softmax_tau", &softmax_tau, "temperature of the softmax objective", above(0, 1e4)},
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
      {"epochs", &epochs, "at most this many", within(0, 1e6)},
      {"patience", &patience, "epochs without a better validation score before stopping", within(1, 1e6)},
      {"eval_every", &eval_every, "epochs between validations", within(1, 1e6)},
      {"eval_users", &eval_users, "validate on so many users, drawn once by seed; 0: all",
       within(0, 2147483647)},
      {"batch_size", &batch_size, "user-item positives in a step", within(1, 1 << 24)},
      {"sampling",
       &sampling,
       "fresh: every positive once an epoch; paper: the released code's sampler",
       {"fresh", "paper"}},
      {"optimizer", &optimizer, "auto: rsgd for hinge, adam for softmax", {"auto", "rsgd", "adam"}},
      {"lr", &lr, "learning rate", above(0, 1000)},
      {"momentum", &momentum, "of rsgd", within(0, 1)},
      {"momentum_from_gradient", &momentum_from_gradient,
       "start rsgd's momentum at the first gradient, as the released code does, instead of at zero"},
      {"weight_decay", &weight_decay, "negative: 5e-4 for rsgd, 0 for adam", within(-1, 100)},
      {"experts", &experts, "K, experts of the mixture", within(1, 1024)},
      {"phase1_objective", &phase1_objective, "objective of phase 1", {"hinge", "softmax"}},
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
      {"ease_lambda", &ease_lambda, "ridge penalty of EASE", above(0, 1e12)},
      {"resume", &resume, "go on from the run folder's checkpoints", Effect::kHow},
      {"checkpoint_seconds", &checkpoint_seconds, "seconds between checkpoints; 0: every epoch",
       within(0, 1e9), Effect::kHow},
      {"memory_limit", &memory_limit, "MB that training may take; 0: what the machine has left",
       within(0, 1e9), Effect::kHow},
  };
}

void TrainOptions::validate() const {
  check_fields(TrainOptions(*this).fields());
  const auto require = [](bool holds, const char* message) {
    HYPERLLM_CHECK(holds, ErrorCode::kInvalidArgument, std::string("train: ") + message);
  };
  require(!dataset.empty(), "option 'dataset' is missing; give the folder that prepare wrote");
  require(!output.empty(), "option 'output' is missing; give a folder for the run");
  require(variant != "without_meta" || init_embeddings.empty(),
          "variant without_meta has no phase 1 to replace; leave out 'init_embeddings'");
  require(variant != "only_semantic" || init_embeddings.empty(),
          "variant only_semantic is phase 1 alone; leave out 'init_embeddings'");
  HYPERLLM_CHECK(
      phase1_precision == "float32" || !has_phase1() || kernels::has_fast_bfloat16(), ErrorCode::kUnavailable,
      "train: option 'phase1_precision': this CPU has neither AVX512-BF16 nor AMX; set it to float32");
}

bool TrainOptions::uses_tags() const {
  return variant == "structural" || variant == "hyperllm" || variant == "without_meta" ||
         variant == "without_contrast";
}

bool TrainOptions::has_phase1() const {
  if (model == "popular" || model == "ease") return false;
  return init_embeddings.empty() && (variant == "semantic" || variant == "hyperllm" ||
                                     variant == "without_contrast" || variant == "only_semantic");
}

}  // namespace hyperllm::stages::train
