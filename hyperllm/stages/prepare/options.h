// What `prepare` can be told.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "hyperllm/base/fields.h"
#include "hyperllm/importers/options.h"

namespace hyperllm::stages::prepare {

inline constexpr double kAllRatings = -1e9;  // a min_rating that no rating is below

struct PrepareOptions : importers::ImportOptions {
  // What to keep.
  std::string duplicates = "last";
  double min_rating = kAllRatings;
  std::int64_t user_core = 0;
  std::int64_t item_core = 0;
  // How to split (see also ImportOptions::split).
  double valid_ratio = 0.1;
  double test_ratio = 0.1;
  double valid_from_train = 0;
  std::int64_t seed = 1234;
  // Where to write.
  std::filesystem::path output;
  std::string name;
  bool dry_run = false;

  FieldList fields() {
    FieldList all = import_fields();
    const FieldList own = {
        {"duplicates",
         &duplicates,
         "same user and item again: keep the last by time, or stop",
         {"last", "error"}},
        {"min_rating", &min_rating, "keep interactions rated at least this; -1e9: all",
         within(kAllRatings, 1e9)},
        {"user_core", &user_core,
         "keep users with at least this many interactions (repeated with item_core until stable)",
         within(0, 1e9)},
        {"item_core", &item_core, "keep items with at least this many interactions", within(0, 1e9)},
        {"split",
         &split,
         "auto keeps the input's own split, else ratio per user",
         {"auto", "keep", "ratio", "leave_last_out", "time"}},
        {"valid_ratio", &valid_ratio, "share of the interactions that validate", within(0, 1)},
        {"test_ratio", &test_ratio, "share of the interactions that test", within(0, 1)},
        {"valid_from_train", &valid_from_train,
         "share of a kept split's train part that validates where the source has no validation part",
         within(0, 0.9)},
        {"seed", &seed, "seed of the random split", at_least(0)},
        {"output", &output, "dataset folder to write"},
        {"name", &name, "name of the dataset; empty: that of the output folder"},
        {"dry_run", &dry_run, "tell how the input would be read, with its first rows, and write nothing",
         Effect::kAction},
    };
    all.insert(all.end(), own.begin(), own.end());
    return all;
  }
};

}  // namespace hyperllm::stages::prepare
