// What `tags` can be told.
#pragma once

#include <cstdint>
#include <filesystem>

#include "hyperllm/base/fields.h"
#include "hyperllm/llm/embeddings.h"

namespace hyperllm::stages::tags {

struct TagsOptions {
  std::filesystem::path dataset;
  std::int64_t depth = 3;
  std::int64_t children = 12;
  std::filesystem::path propose;
  double spelling = 0.75;
  std::filesystem::path vectors;
  double cosine = 0.92;
  std::filesystem::path rules;
  double hub_share = 0.5;
  bool drop_hubs = false;
  std::int64_t min_items = 1;
  bool write = false;
  llm::EmbeddingOptions encoder;  // with a model: propose by the meaning that it sees

  FieldList fields() {
    FieldList list = {
        {"dataset", &dataset, "dataset folder with tags.tsv, tag_edges.tsv, tag_items.tsv"},
        {"depth", &depth, "levels of the tree that are shown", within(1, 1000)},
        {"children", &children, "children shown below a tag, 0: all", within(0, 1e9)},
        {"propose", &propose, "write pairs of tags that may be one into this file of rules, to be reviewed"},
        {"spelling", &spelling, "propose pairs whose spellings are at least so alike", above(0, 1)},
        {"vectors", &vectors, "NumPy matrix with one row per line of tags.tsv: propose by meaning too"},
        {"cosine", &cosine, "propose pairs whose vectors have at least this cosine", above(0, 1)},
        {"rules", &rules,
         "tab-separated file (from, to, reason) of tags to merge, or to remove where `to` is empty"},
        {"hub_share", &hub_share, "a tag on more than this share of items is a hub", above(0, 1)},
        {"drop_hubs", &drop_hubs, "drop hubs"},
        {"min_items", &min_items, "drop tags of fewer items, 1: keep all", within(1, 1e9)},
        {"write", &write, "write the cleaned tags into the dataset folder; otherwise only show them"},
    };
    const FieldList server = encoder.server.fields();  // a model named here embeds the tags
    list.insert(list.end(), server.begin(), server.end());
    return list;
  }
};

}  // namespace hyperllm::stages::tags
