// Ctrl-C (SIGINT) and SIGTERM as a std::stop_token.
#pragma once

#include <functional>
#include <stop_token>
#include <thread>

namespace hyperllm::apps {

// While it lives: the first signal requests a stop and calls `on_first` (from a thread of its own, so it may
// print); the second ends the process at once with status 130. One instance at a time.
class StopOnSignals {
 public:
  explicit StopOnSignals(std::function<void()> on_first);
  ~StopOnSignals();
  StopOnSignals(const StopOnSignals&) = delete;
  StopOnSignals& operator=(const StopOnSignals&) = delete;

  std::stop_token token() const { return source_.get_token(); }

 private:
  std::stop_source source_;
  std::thread watcher_;
};

}  // namespace hyperllm::apps
