// Options of `hyperllm report`.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "hyperllm/base/fields.h"

namespace hyperllm::stages::report {

struct ReportOptions {
  std::vector<std::string> runs;
  std::string split = "test";
  std::string format = "text";
  std::int64_t digits = 4;
  std::filesystem::path baseline;
  std::int64_t resamples = 2000;
  std::int64_t seed = 1;
  std::filesystem::path output;
  FieldList fields() {
    return {
        {"runs", &runs,
         "run folders in the order of the table, separated by commas; folders NAME/seed-N are averaged, and "
         "NAME alone stands for all of them"},
        {"split", &split, "which evaluation to read", {"valid", "test"}},
        {"format",
         &format,
         "text, markdown, or tsv with full precision for programs",
         {"text", "markdown", "tsv"}},
        {"digits", &digits, "digits after the point in text and markdown", within(1, 10)},
        {"baseline", &baseline,
         "run folder (or NAME of seeds) that the others are tested against, user by user; empty: no test"},
        {"resamples", &resamples, "bootstrap samples of the tests", within(1, 1e6)},
        {"seed", &seed, "seed of the bootstrap", at_least(0)},
        {"output", &output, "file to write; empty: the text is returned"}};
  }
};

}  // namespace hyperllm::stages::report
