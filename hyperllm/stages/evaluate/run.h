// `hyperllm evaluate`: full ranking of the catalogue for every user with held-out items.
#pragma once

#include "hyperllm/base/progress.h"
#include "hyperllm/metrics/evaluation_files.h"
#include "hyperllm/stages/evaluate/options.h"

namespace hyperllm::stages::evaluate {

struct EvaluateResult {
  metrics::Evaluation evaluation;
  metrics::PerUser per_user;
};

// Writes RUN/per_user.SPLIT.tsv, then RUN/evaluation.SPLIT.json, each atomically. Same model and options,
// same bytes, for any number of threads. Throws kInvalidArgument (options), kInvalidData (dataset, model, a
// split without interactions), kIo, kNonFinite (a NaN score, naming the user), kInterrupted.
// Throws kInvalidArgument for options that cannot work, whatever the model.
void check(EvaluateOptions options);

EvaluateResult run(const EvaluateOptions& options, const Context& context);

}  // namespace hyperllm::stages::evaluate
