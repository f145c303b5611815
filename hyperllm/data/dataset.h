// The dataset folder: what `prepare` writes and every later stage reads.
//
//   NAME.train.inter, NAME.valid.inter,           RecBole's atomic files; NAME is the folder's own name
//   NAME.test.inter
//   users.tsv, items.tsv                          one external id a line below a header, `user_id:token` or
//                                                 `item_id:token`; the first id is row 0
//   items.jsonl                                   item texts, if there are any: {"id", "title", "brand",
//                                                 "categories": [[...]], "description", ...}
//   tags.tsv, tag_edges.tsv, tag_items.tsv        written by `extract`
//   item_summaries.jsonl, user_summaries.jsonl    written by `extract`
//   embeddings/ENCODER/users.npy, items.npy       written by `embed`
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <unordered_map>
#include <vector>

#include "hyperllm/base/file_set.h"
#include "hyperllm/data/csr.h"

namespace hyperllm::data {

// One split's interactions in file order; all vectors have one length. Ids are row numbers of users.tsv /
// items.tsv.
struct Interactions {
  std::vector<std::int32_t> user;
  std::vector<std::int32_t> item;
  std::vector<float> rating;
  std::vector<double> timestamp;  // seconds since 1970, 0 if unknown

  std::int64_t size() const { return static_cast<std::int64_t>(user.size()); }
  Csr csr(std::int64_t users, std::int64_t items) const;
};

struct Dataset {
  std::string name;
  std::vector<std::string> users;  // external ids, index = row number
  std::vector<std::string> items;
  Interactions train, valid, test;

  std::int64_t num_users() const { return static_cast<std::int64_t>(users.size()); }
  std::int64_t num_items() const { return static_cast<std::int64_t>(items.size()); }
  Csr train_csr() const { return train.csr(num_users(), num_items()); }
  Csr valid_csr() const { return valid.csr(num_users(), num_items()); }
  Csr test_csr() const { return test.csr(num_users(), num_items()); }
};

// Loads ids and interactions. Folders without users.tsv/items.tsv (RecBole's own) get row numbers in order of
// first appearance (train, valid, test). Throws kIo for a missing file, kInvalidData for a bad row (file,
// line, field, remedy).
Dataset load_dataset(const std::filesystem::path& folder);

// The name of a folder itself, also for "." and "a/b/".
std::string folder_name(const std::filesystem::path& folder);

// The interaction files and id lists, as part of a set or as a set of their own: they replace earlier ones
// together. Throw kIo, kInvalidArgument (an id that would break the file).
void add_dataset(const Dataset& dataset, FileSet& files);
void save_dataset(const Dataset& dataset, const std::filesystem::path& folder);

// id -> row number.
std::unordered_map<std::string, std::int32_t> index_of(const std::vector<std::string>& ids);

}  // namespace hyperllm::data
