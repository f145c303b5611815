// Keeps what a stage said.
#pragma once

#include <string>
#include <vector>

#include "hyperllm/base/progress.h"

namespace hyperllm::test {

class RecordingSink : public Sink {
 public:
  void message(Level level, std::string_view text) override {
    (level == Level::kWarning ? warnings : infos).emplace_back(text);
  }
  void progress(std::string_view, std::int64_t, std::int64_t, double, double, std::string_view,
                bool) override {}

  std::vector<std::string> infos, warnings;
};

}  // namespace hyperllm::test
