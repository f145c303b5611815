// A catalogue whose right answer is known: two groups of users, two groups of items, and everybody likes the
// items of the own group only. Tags and semantic embeddings say which group an item belongs to.
#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "hyperllm/artifact/npy.h"
#include "hyperllm/base/random.h"
#include "hyperllm/data/dataset.h"
#include "hyperllm/data/tags.h"
#include "tests/support/small_dataset.h"

namespace hyperllm::test {

struct PlantedOptions {
  std::int64_t users = 40;
  std::int64_t items = 40;
  std::int64_t train = 8;  // items a user, then one half as many to validate and as many to test
  bool tags = true;
  bool embeddings = true;
};

inline std::int64_t group_of(std::int64_t id) { return id % 2; }

inline data::Dataset planted_interactions(const PlantedOptions& options) {
  data::Dataset dataset;
  for (std::int64_t user = 0; user < options.users; ++user)
    dataset.users.emplace_back("u").append(std::to_string(user));
  for (std::int64_t item = 0; item < options.items; ++item)
    dataset.items.emplace_back("i").append(std::to_string(item));
  Pairs train, valid, test;
  for (std::int64_t user = 0; user < options.users; ++user) {
    std::vector<std::int32_t> liked;
    for (std::int64_t item = group_of(user); item < options.items; item += 2)
      liked.push_back(static_cast<std::int32_t>(item));
    Random(1, "user " + std::to_string(user)).shuffle(std::span<std::int32_t>(liked));
    const auto id = static_cast<std::int32_t>(user);
    for (std::int64_t i = 0; i < options.train; ++i) train.emplace_back(id, liked[i]);
    for (std::int64_t i = 0; i < options.train / 2; ++i) {
      valid.emplace_back(id, liked[options.train + i]);
      test.emplace_back(id, liked[options.train + options.train / 2 + i]);
    }
  }
  dataset.train = interactions(train);
  dataset.valid = interactions(valid);
  dataset.test = interactions(test);
  return dataset;
}

// One broad tag a group, two narrow ones below each.
inline data::TagGraph planted_tags(std::int64_t items) {
  data::TagGraph tags;
  tags.tags = {{"odd", 1}, {"even", 1}, {"odd low", 2}, {"odd high", 2}, {"even low", 2}, {"even high", 2}};
  tags.edges = {{1, 4}, {1, 5}, {0, 2}, {0, 3}};
  for (std::int32_t item = 0; item < items; ++item) {
    const std::int32_t narrow = (group_of(item) == 1 ? 2 : 4) + (item >= items / 2 ? 1 : 0);
    tags.tag_items.emplace_back(narrow, item);
  }
  return tags;
}

// Six columns: which group, and noise.
inline artifact::Matrix planted_rows(std::int64_t rows, const std::string& stream) {
  artifact::Matrix matrix{rows, 6, {}};
  Random random(1, stream);
  for (std::int64_t row = 0; row < rows; ++row)
    for (std::int64_t column = 0; column < matrix.cols; ++column)
      matrix.values.push_back(
          static_cast<float>((group_of(row) == column ? 1 : 0) + random.uniform(-0.2, 0.2)));
  return matrix;
}

inline void write_matrix(const std::filesystem::path& path, const artifact::Matrix& matrix) {
  artifact::write_npy(path, matrix.rows, matrix.cols, matrix.values);
}

// The dataset folder FOLDER with embeddings called "planted".
inline data::Dataset write_planted_dataset(const std::filesystem::path& folder,
                                           const PlantedOptions& options = {}) {
  data::Dataset dataset = planted_interactions(options);
  dataset.name = data::folder_name(folder);
  data::save_dataset(dataset, folder);
  if (options.tags) data::save_tags(planted_tags(options.items), folder, dataset.items);
  if (options.embeddings) {
    std::filesystem::create_directories(folder / "embeddings" / "planted");
    write_matrix(folder / "embeddings" / "planted" / "users.npy", planted_rows(options.users, "users"));
    write_matrix(folder / "embeddings" / "planted" / "items.npy", planted_rows(options.items, "items"));
  }
  return dataset;
}

}  // namespace hyperllm::test
