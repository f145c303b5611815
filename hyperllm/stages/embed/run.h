// `hyperllm embed`: semantic embeddings of users and items (equation 7 of the paper).
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "hyperllm/base/progress.h"
#include "hyperllm/stages/embed/options.h"

namespace hyperllm::stages::embed {

struct EmbedResult {
  std::filesystem::path folder;  // holds users.npy and items.npy
  std::int64_t dimension = 0;
  std::int64_t empty_items = 0;  // rows of zeros
  std::int64_t empty_users = 0;
  double explained = 0;    // lsa: share of the TF-IDF matrix's squared norm that the embeddings keep
  std::int64_t terms = 0;  // lsa: terms in use
  std::string text;        // openai: what a dry run found; then nothing is written
};

// Throws kInvalidArgument for options that cannot work, whatever the dataset.
void check(EmbedOptions options);

// Writes DATASET/embeddings/NAME/users.npy and items.npy: float32, rows in the order of users.tsv and
// items.tsv, each file atomically. By encoder:
//   lsa      fitted on the item and the user summaries together (a user's summary holds training items only);
//            rows of unit length. Byte for byte the same for any number of threads
//   openai   item and user summaries through /v1/embeddings and the call store (llm/embeddings.h); rows
//            scaled to unit length, zeros where a summary is empty
//   npy      checks rows, equal dimensions and finite values, then copies as float32 without rescaling.
//            Without users_npy a user is the mean of the training items' unit vectors, scaled to unit length
// Throws kIo, kInvalidArgument, kInvalidData, kInterrupted.
EmbedResult run(const EmbedOptions& options, const Context& context);

}  // namespace hyperllm::stages::embed
