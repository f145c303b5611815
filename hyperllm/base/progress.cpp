#include "hyperllm/base/progress.h"

#include <utility>

#include "hyperllm/base/error.h"

namespace hyperllm {

Sink& silent_sink() {
  class Silent : public Sink {
    void message(Level, std::string_view) override {}
    void progress(std::string_view, std::int64_t, std::int64_t, double, double, std::string_view,
                  bool) override {}
  };
  static Silent silent;
  return silent;
}

void Context::check_stop(std::string_view what, std::string_view remedy) const {
  if (stop.stop_requested())
    throw Error(ErrorCode::kInterrupted, std::string(what) + " interrupted; " + std::string(remedy) + ".");
}

Progress::Progress(const Context& context, std::string task, std::int64_t total,
                   std::chrono::milliseconds interval)
    : context_(context), task_(std::move(task)), total_(total), interval_(interval) {}

Progress::~Progress() {
  try {
    report(true);
  } catch (...) {  // a sink's failure must not hide the error that is unwinding
  }
}

void Progress::start_at(std::int64_t done) { done_ = started_at_ = done; }

void Progress::advance(std::int64_t units, std::string_view note) {
  done_ += units;
  if (!note.empty()) note_ = note;
  if (Clock::now() - last_report_ >= interval_) report(false);
}

void Progress::report(bool last) {
  last_report_ = Clock::now();
  const double seconds = std::chrono::duration<double>(last_report_ - start_).count();
  const double rate = seconds > 0 ? static_cast<double>(done_ - started_at_) / seconds : 0;
  const double eta = rate > 0 && total_ > 0 ? static_cast<double>(total_ - done_) / rate : -1;
  context_.sink->progress(task_, done_, total_, rate, eta, note_, last);
}

}  // namespace hyperllm
