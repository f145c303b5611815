// What `prepare` can be told.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "hyperllm/base/fields.h"

namespace hyperllm::stages::prepare {

struct PrepareOptions {
  // What to read.
  std::vector<std::string> input;
  std::string format = "auto";
  std::filesystem::path items;
  std::string edition = "auto";
  std::string user_column, item_column, rating_column, timestamp_column;
  std::string separator;
  std::string object;
  std::string header = "auto";
  // What to keep.
  std::string duplicates = "last";
  double min_rating = 0;
  std::int64_t user_core = 0;
  std::int64_t item_core = 0;
  // How to split.
  std::string split = "auto";
  double valid_ratio = 0.1;
  double test_ratio = 0.1;
  std::int64_t seed = 1234;
  // Where to write.
  std::filesystem::path output;
  std::string name;

  FieldList fields() {
    return {
        {"input", &input, "files or a folder with the interactions, comma-separated"},
        {"format",
         &format,
         "what the input is",
         {"auto", "csv", "recbole", "movielens", "amazon", "rda", "hyperllm"}},
        {"items", &items,
         "file with item texts: .jsonl, .csv, .item, Amazon metadata; empty: what lies beside the input"},
        {"edition", &edition, "edition of Amazon Reviews", {"auto", "2014", "2018", "2023"}},
        {"user_column", &user_column, "csv: user column, a name or a number from 1; empty: recognised"},
        {"item_column", &item_column, "csv: item column, likewise; also the id of the items file"},
        {"rating_column", &rating_column, "csv: rating column, likewise"},
        {"timestamp_column", &timestamp_column,
         "csv: time column, likewise (seconds, milliseconds or ISO dates)"},
        {"separator", &separator, "csv: text between fields, or tab, space; empty: recognised"},
        {"object", &object, "rda: the data frame's name in the file; empty: the only one"},
        {"header", &header, "csv: whether the first line names the columns", {"auto", "yes", "no"}},
        {"duplicates",
         &duplicates,
         "same user and item again: keep the last by time, or stop",
         {"last", "error"}},
        {"min_rating", &min_rating, "keep interactions rated at least this; 0: all", within(-1e9, 1e9)},
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
        {"seed", &seed, "seed of the random split", at_least(0)},
        {"output", &output, "dataset folder to write"},
        {"name", &name, "name of the dataset; empty: that of the output folder"},
    };
  }
};

}  // namespace hyperllm::stages::prepare
