// Options of `hyperllm recommend`.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "hyperllm/base/fields.h"

namespace hyperllm::stages::recommend {

struct RecommendOptions {
  std::filesystem::path dataset;
  std::filesystem::path run;
  std::vector<std::string> users;
  std::filesystem::path users_file;
  bool all = false;
  std::int64_t k = 10;
  std::string format = "text";
  std::string exclude = "known";
  std::filesystem::path output;
  FieldList fields() {
    return {{"dataset", &dataset, "dataset folder that `prepare` wrote"},
            {"run", &run, "run folder that holds model/"},
            {"users", &users,
             "users by the ids of your data, separated by commas; \\, for a comma inside of an id"},
            {"users_file", &users_file, "text file with a user's id a line, instead of users"},
            {"all", &all, "every user of the dataset"},
            {"k", &k, "items a user", within(1, 1e6)},
            {"format", &format, "text to read, json for one JSON object a user and line", {"text", "json"}},
            {"exclude",
             &exclude,
             "items never recommended to a user: all that the dataset knows of them, or those of some splits",
             {"known", "train+valid", "train"}},
            {"output", &output, "file to write; empty: standard output"}};
  }
};

}  // namespace hyperllm::stages::recommend
