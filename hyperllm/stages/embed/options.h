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
        {"dimension", &dimension, "lsa: numbers per embedding; above the rank zeros are appended",
         within(1, 65536)},
        {"seed", &seed, "lsa: seed of the random range finder", at_least(0)},
        {"min_df", &min_df, "lsa: use terms that occur in at least so many summaries", within(1, 2147483647)},
        {"max_df", &max_df, "lsa: use terms that occur in at most this share of summaries", above(0, 1)},
        {"max_terms", &max_terms, "lsa: use so many of the most frequent terms, 0: all",
         within(0, 2147483647)},
        {"word_pairs", &word_pairs, "lsa: use pairs of neighbouring words beside words"},
        {"singular_power", &singular_power,
         "lsa: scale directions by singular value ^ this, 0: all alike, 1: plain LSA", within(0, 1)},
        {"items_npy", &items_npy, "npy: matrix with one row per line of items.tsv"},
        {"users_npy", &users_npy,
         "npy: matrix with one row per line of users.tsv; empty: mean of the user's training items"},
        {"dimensions", &openai.dimensions,
         "openai: numbers per embedding, if the model can cut them; 0: its own", within(0, 65536)},
        {"batch", &openai.batch, "openai: texts in one request", within(1, 2048)},
        {"max_text_bytes", &openai.most_bytes,
         "openai: bytes of a text that the model is shown at most (1500 for an encoder of 512 tokens)",
         within(1, 1 << 24)},
    };
    const FieldList server = openai.server.fields();
    list.insert(list.end(), server.begin(), server.end());
    return list;
  }
};

}  // namespace hyperllm::stages::embed
