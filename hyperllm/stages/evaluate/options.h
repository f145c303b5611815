// Options of `hyperllm evaluate`.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "hyperllm/base/fields.h"

namespace hyperllm::stages::evaluate {

struct EvaluateOptions {
  std::filesystem::path dataset;
  std::filesystem::path run;
  std::string split = "test";
  std::vector<std::int64_t> ks = {10, 20};
  std::vector<std::string> metrics = {"recall", "ndcg"};
  std::string mask = "train";
  FieldList fields() {
    return {{"dataset", &dataset, "dataset folder that `prepare` wrote"},
            {"run", &run, "run folder; its model/ is evaluated, the results are written beside it"},
            {"split", &split, "interactions to find", {"valid", "test"}},
            {"ks", &ks, "cut-offs K", within(1, 1e6)},
            {"metrics", &metrics, "any of recall, ndcg, precision, hit, mrr, map"},
            {"mask",
             &mask,
             "items never ranked for a user: train as in the HyperLLM and HGCF papers, train+valid as in "
             "RecBole (test only)",
             {"train", "train+valid"}}};
  }
};

}  // namespace hyperllm::stages::evaluate
