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
  void progress(std::string_view task, std::int64_t done, std::int64_t total, double, double,
                std::string_view note, bool last) override {
    ++progress_calls;
    if (last)
      ends.append(task).append(" " + std::to_string(done) + "/" + std::to_string(total) + " ").append(note);
  }
  std::string messages, warnings, ends;  // ends: what was told last of each task
  int progress_calls = 0;
};

}  // namespace hyperllm::test
