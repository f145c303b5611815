// Options of `hyperllm report`.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "hyperllm/base/fields.h"
#include "hyperllm/base/text_table.h"

namespace hyperllm::stages::report {

struct ReportOptions {
  std::vector<std::string> runs;
  std::vector<std::string> dataset;
  std::string split = "test";
  std::vector<std::string> tables = {"results"};
  std::string format = "text";
  std::int64_t digits = 4;
  std::string baseline;
  std::filesystem::path published;
  std::string published_dataset;
  std::filesystem::path figures;
  std::string metric = "recall@20";
  std::string coordinates = "tangent";
  std::int64_t leaves = 30;
  std::int64_t resamples = 2000;
  std::int64_t seed = 1;
  std::filesystem::path output;
  FieldList fields() {
    return {
        {"runs", &runs,
         "run folders in the order of the table, separated by commas; folders NAME/seed-N are averaged, and "
         "NAME alone stands for all of them"},
        {"dataset", &dataset,
         "dataset folders, for the table datasets and the figures; empty: the one that the runs' manifests "
         "name"},
        {"split", &split, "which evaluation to read", {"valid", "test"}},
        {"tables", &tables,
         "any of datasets (the paper's Tables 1 and 2), results (Table 3), training (the times of Table 4)"},
        {"format", &format, "tables for people, or csv and tsv with full precision for programs",
         table_style_names()},
        {"digits", &digits, "digits after the point in text, markdown and latex", within(1, 10)},
        {"baseline", &baseline,
         "what the others are tested against, user by user: a name of the table, a run folder, or a pattern "
         "such "
         "as *-base, which stands for hgcf-base where hgcf-kar is tested; empty: no test"},
        {"published", &published,
         "table of published values to print beside ours: a TSV with the columns dataset, run, metric, "
         "value"},
        {"published_dataset", &published_dataset,
         "its dataset that ours is compared with; empty: the one of the same name as ours"},
        {"figures", &figures,
         "folder for the paper's Figures 2 to 5 of the runs, as data, gnuplot scripts and, where gnuplot is "
         "there, "
         "PDF and SVG; empty: none"},
        {"metric", &metric, "metric of the figures"},
        {"coordinates",
         &coordinates,
         "items of Figure 5 as tangent vectors at the origin, or as points of the space around the manifold",
         {"tangent", "ambient"}},
        {"leaves", &leaves, "leaves of Figure 5: the last merges are drawn", within(2, 1000)},
        {"resamples", &resamples, "bootstrap samples of tests and intervals", within(1, 1e6)},
        {"seed", &seed, "seed of the bootstrap", at_least(0)},
        {"output", &output, "file to write; empty: standard output"}};
  }
};

}  // namespace hyperllm::stages::report
