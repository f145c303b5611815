// Text embeddings from an OpenAI-compatible /v1/embeddings, through the same store, pacing and budget as
// chat.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "hyperllm/base/progress.h"
#include "hyperllm/llm/options.h"

namespace hyperllm::llm {

struct EmbeddingOptions {
  ServerOptions server;
  std::int64_t dimensions = 0;      // 0: the model's own
  std::int64_t batch = 64;          // texts in one request
  std::int64_t most_bytes = 24000;  // of one text; models take some 8,000 tokens
};

struct EmbeddingTable {
  std::string text;  // a dry run's answer; then nothing else is set
  std::int64_t dimensions = 0;
  std::vector<float> values;  // one row a text; zeros for an empty text
};

// One row per text, in order; equal texts are asked once. A changed text re-asks that text alone. `folder` is
// the dataset's. Throws what Session and run_job throw; kInterrupted when a budget ends the run; kUnavailable
// if a text has no valid embedding in the end (its reason in the message).
EmbeddingTable embed_texts(const std::vector<std::string>& texts, const std::filesystem::path& folder,
                           const EmbeddingOptions& options, const Context& context);

// Little-endian float32 as base64, as servers send it with encoding_format base64.
std::string floats_to_base64(const std::vector<float>& values);
// Empty if `text` is not that.
std::vector<float> floats_from_base64(std::string_view text);

}  // namespace hyperllm::llm
