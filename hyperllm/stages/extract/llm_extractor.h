// The extractor that asks a language model, behind the same stage.
#pragma once

#include "hyperllm/base/progress.h"
#include "hyperllm/stages/extract/options.h"
#include "hyperllm/stages/extract/run.h"

namespace hyperllm::stages::extract {

// Asks what the call store does not know and writes tags and summaries, or only tells what the options ask
// for. Throws what llm::extract throws.
ExtractResult run_llm(const ExtractOptions& options, const Context& context);

}  // namespace hyperllm::stages::extract
