// What `embed` can be told.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "hyperllm/base/fields.h"
#include "hyperllm/llm/embeddings.h"

namespace hyperllm::stages::embed {

struct EmbedOptions {
  std::filesystem::path dataset;
  std::string encoder = "lsa";
  std::string name;
  std::int64_t dimension = 256;
  std::int64_t seed = 1;
  std::int64_t min_df = 3;
  double max_df = 1;
  std::int64_t max_terms = 50000;
  bool word_pairs = true;
  double singular_power = 0.5;
  std::filesystem::path items_npy;
  std::filesystem::path users_npy;
  llm::EmbeddingOptions openai;  // encoder openai

  FieldList fields() {
    FieldList list = {
        {"dataset", &dataset, "dataset folder with the summaries that `extract` wrote"},
        {"encoder",
         &encoder,
         "lsa: from the summaries; openai: by a server's model; npy: your own matrices",
         {"lsa", "npy", "openai"}},
        {"name", &name, "folder under DATASET/embeddings; empty: the encoder's name"},
        {"dimension", &dimension, "lsa: numbers per embedding, 1 or more; above the rank zeros are appended"},
        {"seed", &seed, "lsa: seed of the random range finder, 0 or more"},
        {"min_df", &min_df, "lsa: use terms that occur in at least so many summaries, 1 or more"},
        {"max_df", &max_df, "lsa: use terms that occur in at most this share of summaries, (0, 1]"},
        {"max_terms", &max_terms, "lsa: use so many of the most frequent terms, 0: all"},
        {"word_pairs", &word_pairs, "lsa: use pairs of neighbouring words beside words"},
        {"singular_power", &singular_power,
         "lsa: scale directions by singular value ^ this, 0 (all alike) to 1 (plain LSA)"},
        {"items_npy", &items_npy, "npy: matrix with one row per line of items.tsv"},
        {"users_npy", &users_npy,
         "npy: matrix with one row per line of users.tsv; empty: mean of the user's training items"},
        {"dimensions", &openai.dimensions,
         "openai: numbers per embedding, if the model can cut them; 0: its own"},
        {"batch", &openai.batch, "openai: texts in one request, 1 to 2048"},
        {"max_text_bytes", &openai.most_bytes,
         "openai: of a text, the model is shown at most this much (1500 for an encoder of 512 tokens)"},
    };
    const FieldList server = openai.server.fields();
    list.insert(list.end(), server.begin(), server.end());
    return list;
  }
};

}  // namespace hyperllm::stages::embed
