// Where library code reports what it is doing. Library code never prints; it talks to a Sink.
#pragma once

#include <chrono>
#include <cstdint>
#include <stop_token>
#include <string>
#include <string_view>

namespace hyperllm {

enum class Level { kDebug, kInfo, kWarning };

class Sink {
 public:
  virtual ~Sink() = default;
  virtual void message(Level level, std::string_view text) = 0;
  // `done` of `total` units (total 0: unknown); `rate` in units a second, `eta_seconds` < 0 if unknown.
  // `last` marks the end of the task. Called a few times a second at most.
  virtual void progress(std::string_view task, std::int64_t done, std::int64_t total, double rate,
                        double eta_seconds, std::string_view note, bool last) = 0;
};

// A sink that drops everything.
Sink& silent_sink();

// What every stage is handed: where to report, and whether the user wants to stop.
struct Context {
  Sink* sink = &silent_sink();
  std::stop_token stop = {};

  void info(std::string_view text) const { sink->message(Level::kInfo, text); }
  void warn(std::string_view text) const { sink->message(Level::kWarning, text); }
  // Throws kInterrupted with "`what` interrupted; `remedy`" if the user asked to stop.
  void check_stop(std::string_view what, std::string_view remedy = "run the same command to go on") const;
};

// Counts units of one long task and tells the sink at most every `interval`.
class Progress {
 public:
  Progress(const Context& context, std::string task, std::int64_t total,
           std::chrono::milliseconds interval = std::chrono::milliseconds(200));
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // Units finished before this run (resume); they count as done but not towards the rate.
  void start_at(std::int64_t done);
  void advance(std::int64_t units = 1, std::string_view note = {});
  std::int64_t done() const { return done_; }

 private:
  using Clock = std::chrono::steady_clock;
  void report(bool last);
  const Context& context_;
  std::string task_;
  std::string note_;
  std::int64_t total_;
  std::int64_t done_ = 0;
  std::int64_t started_at_ = 0;
  std::chrono::milliseconds interval_;
  Clock::time_point start_ = Clock::now();
  Clock::time_point last_report_ = start_;
};

}  // namespace hyperllm
