// What `evaluate` leaves in a run folder and `report` reads: means as JSON, values per user and counts per
// item as tables. docs/evaluation.md describes them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "hyperllm/base/file_set.h"

namespace hyperllm::metrics {

// RUN/evaluation.SPLIT.json
struct Evaluation {
  std::string dataset;
  std::string run;
  std::string split;                                    // "valid" or "test"
  std::string mask;                                     // "train" or "train+valid"
  std::int64_t users = 0;                               // users evaluated
  std::vector<std::pair<std::string, double>> metrics;  // "recall@10" -> mean, in the order asked
};

// RUN/per_user.SPLIT.tsv
struct PerUser {
  std::vector<std::string> columns;  // "recall@10", ...
  std::vector<std::string> users;    // external ids
  std::vector<double> values;        // users x columns

  // One column over all users. Throws kInvalidArgument naming the nearest column.
  std::vector<double> column(const std::string& name) const;
};

// RUN/per_item.SPLIT.tsv
struct PerItem {
  std::vector<std::int64_t> ks;        // the cut-offs, ascending
  std::vector<std::string> items;      // external ids, all of the dataset
  std::vector<std::int64_t> held_out;  // users who have it in the split
  std::vector<std::int64_t> hits;      // items x ks: of those, the users who have it among their first K
};

// The name a run goes by: its folder's name, or PARENT/seed-N for a folder called seed-N.
std::string run_name(const std::filesystem::path& run);

std::filesystem::path evaluation_path(const std::filesystem::path& run, const std::string& split);
std::filesystem::path per_user_path(const std::filesystem::path& run, const std::string& split);

std::filesystem::path per_item_path(const std::filesystem::path& run, const std::string& split);

// Three files of a run, which belong together. Full precision, no time stamps: same values, same bytes.
void add_evaluation(const Evaluation& evaluation, FileSet& run);
void add_per_user(const PerUser& values, const std::string& split, FileSet& run);
void add_per_item(const PerItem& values, const std::string& split, FileSet& run);

// Throw kIo, kInvalidData (file, line, field, remedy).
Evaluation load_evaluation(const std::filesystem::path& path);
PerUser load_per_user(const std::filesystem::path& path);
PerItem load_per_item(const std::filesystem::path& path);

}  // namespace hyperllm::metrics
