// `hyperllm evaluate`: full ranking of the catalogue for every user with held-out items.
#pragma once

#include "hyperllm/base/progress.h"
#include "hyperllm/metrics/evaluation_files.h"
#include "hyperllm/stages/evaluate/options.h"

namespace hyperllm::stages::evaluate {

struct EvaluateResult {
  metrics::Evaluation evaluation;
  metrics::PerUser per_user;
  metrics::PerItem per_item;
};

// Throws kInvalidArgument for options that cannot work, whatever the model.
void check(EvaluateOptions options);

// Writes RUN/per_user.SPLIT.tsv, RUN/per_item.SPLIT.tsv and RUN/evaluation.SPLIT.json, together. Same model
// and options, same bytes, for any number of threads. Throws kInvalidArgument (options), kInvalidData
// (dataset, model, a split without interactions), kIo, kNonFinite (a NaN score, naming the user),
// kInterrupted.
EvaluateResult run(const EvaluateOptions& options, const Context& context);

}  // namespace hyperllm::stages::evaluate
