// What the calls of the real stages share.
#pragma once

#include <filesystem>
#include <initializer_list>
#include <string_view>

#include "hyperllm/apps/stage.h"

namespace hyperllm::apps {

template <typename Options>
class CallOf : public StageCall {
 public:
  FieldList fields() override { return options_.fields(); }

 protected:
  Options options_;
};

// A stage that only answers a question leaves no manifest.
template <typename Options>
class QuestionOf : public CallOf<Options> {
 public:
  std::filesystem::path manifest() const override { return {}; }
  Files inputs() const override { return {}; }
  Files outputs() const override { return {}; }
};

// Those of `names` that lie in the folder.
Files existing(const std::filesystem::path& folder, std::initializer_list<const char*> names);

// Regular files of the folder whose names end in `suffix`, by name.
Files files_in(const std::filesystem::path& folder, std::string_view suffix);

void append(Files& files, const Files& more);

// `folder`, if `dataset`, which an earlier stage made, is there; else nothing. Without it the stage fails, and
// says what is missing.
std::filesystem::path if_there(const std::filesystem::path& dataset, const std::filesystem::path& folder);

}  // namespace hyperllm::apps
