// Keeps what a stage says.
#pragma once

#include <string>

#include "hyperllm/base/progress.h"

namespace hyperllm::test {

class RecordingSink : public Sink {
 public:
  void message(Level level, std::string_view text) override {
    (level == Level::kWarning ? warnings : messages).append(text).append("\n");
  }
  void progress(std::string_view, std::int64_t, std::int64_t, double, double, std::string_view,
                bool) override {
    ++progress_calls;
  }
  std::string messages, warnings;
  int progress_calls = 0;
};

}  // namespace hyperllm::test
