// Options of `hyperllm bench`.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "hyperllm/base/fields.h"

namespace hyperllm::stages::bench {

struct BenchOptions {
  std::filesystem::path dataset;
  std::string model = "hgcf";
  std::string objective = "auto";
  std::int64_t dim = 49;
  std::int64_t layers = 3;
  std::int64_t batch_size = 4096;
  std::int64_t epochs = 500;
  std::int64_t contrast_rows = 0;
  double seconds = 0.5;
  bool json = false;
  FieldList fields() {
    return {
        {"dataset", &dataset, "dataset folder to estimate for; empty: synthetic, of Amazon-Beauty's size"},
        {"model", &model, "backbone, as train has it"},
        {"objective", &objective, "as train has it"},
        {"dim", &dim, "dimensions of the hyperbolic space", within(1, 4096)},
        {"layers", &layers, "propagation steps", within(1, 100)},
        {"batch_size", &batch_size, "user-item positives in a step", within(1, 1 << 24)},
        {"epochs", &epochs, "epochs to estimate for", within(1, 1e6)},
        {"contrast_rows", &contrast_rows, "rows of the contrast in a step; 0: all items",
         within(0, 2147483647)},
        {"seconds", &seconds, "time for measuring each part", above(0, 3600)},
        {"json", &json, "print JSON"}};
  }
};

}  // namespace hyperllm::stages::bench
