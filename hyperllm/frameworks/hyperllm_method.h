// The phases of HyperLLM, its variants and options.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "hyperllm/frameworks/column_start.h"
#include "hyperllm/frameworks/hyperllm.h"
#include "hyperllm/frameworks/method.h"

namespace hyperllm::frameworks {

// A row of the paper's tables and ablations.
struct Variant {
  const char* name;
  bool semantic;  // ID embeddings start at phase 1's result (12), or what stands for it
  bool phase2;    // (13) to (16); without it, phase 1 alone is evaluated
  bool tags;      // L_tag
  bool contrast;  // L_cl
  bool mixture;   // the experts inside phase 2, which has no phase 1
};

// clang-format off
inline constexpr Variant kVariants[] = {
    // name             semantic  phase2  tags   contrast  mixture
    {"base",             false,    true,   false, false,    false},
    {"structural",       false,    true,   true,  true,     false},
    {"semantic",         true,     true,   false, false,    false},
    {"hyperllm",         true,     true,   true,  true,     false},
    {"without_meta",     false,    true,   true,  true,     true},
    {"only_semantic",    true,     false,  false, false,    false},
    {"without_contrast", true,     true,   true,  false,    false},
};
// clang-format on

struct HyperLlmMethod final : Method {
  std::string chosen = "hyperllm";  // variant
  std::filesystem::path init_embeddings;
  std::string start = "phase1";
  StartDistances start_distances;

  double tag_margin = 0.9;
  double tag_loss_weight = 1;
  double tag_tag_weight = 1;
  double contrast_weight = 0.01;
  double contrast_tau = 0.5;
  std::int64_t contrast_rows = 0;

  std::int64_t experts = 16;
  std::string phase1_objective = "auto";
  double phase1_margin = 0.1;
  double phase1_lr = 1e-3;
  std::int64_t phase1_epochs = 500;
  std::int64_t phase1_patience = 50;
  std::string phase1_precision = "float32";
  bool tune_semantic = false;

  FieldList fields() override;
  std::string variant() const override { return chosen; }
  void validate() const override;
  Needs needs(const std::filesystem::path& embeddings) const override;
  std::vector<Phase> phases(const Materials& materials) const override;

  bool has_phase1() const;  // phase 1 is trained here (no other start given)

 private:
  const Variant& row() const;
  bool starts_at_columns() const { return start == "columns"; }
  Phase phase1(const Materials& materials, std::shared_ptr<torch::Tensor> result) const;
  Phase phase2(const Materials& materials, std::shared_ptr<torch::Tensor> of_phase1) const;
  TagTask tag_task(const Materials& materials, Storage storage) const;
};

}  // namespace hyperllm::frameworks
