// What the user sees on the terminal. Everything here goes to stderr; stdout is for results.
#pragma once

#include <chrono>
#include <cstdio>
#include <mutex>
#include <string>

#include "hyperllm/base/progress.h"

namespace hyperllm::apps {

enum class Verbosity { kQuiet, kNormal, kVerbose };

// On a terminal, one line that is drawn over and over for the running task, and messages above it. Elsewhere
// (a log file, a pipe), plain lines: one every `kPlainInterval` for a long task, one at its end. Quiet keeps
// warnings only. Safe to call from several threads.
class Console : public Sink {
 public:
  static constexpr std::chrono::seconds kPlainInterval{10};

  Console(std::FILE* stream, bool terminal, Verbosity verbosity);
  // stderr, asking the system whether it is a terminal.
  explicit Console(Verbosity verbosity);
  ~Console() override;
  Console(const Console&) = delete;
  Console& operator=(const Console&) = delete;

  void message(Level level, std::string_view text) override;
  void progress(std::string_view task, std::int64_t done, std::int64_t total, double rate, double eta_seconds,
                std::string_view note, bool last) override;

 private:
  using Clock = std::chrono::steady_clock;
  void erase_bar();
  void line(std::string_view text);
  std::FILE* stream_;
  bool terminal_;
  Verbosity verbosity_;
  bool bar_drawn_ = false;
  std::string task_;
  Clock::time_point task_start_;
  Clock::time_point last_plain_;
  std::mutex mutex_;
};

// "1,234,567".
std::string grouped(std::int64_t number);
// "0:07", "12:03", "1:02:03".
std::string clock_text(double seconds);

}  // namespace hyperllm::apps
