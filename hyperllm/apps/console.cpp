#include "hyperllm/apps/console.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>

namespace hyperllm::apps {
namespace {

constexpr int kBarWidth = 24;
constexpr double kWorthALine = 0.5;  // seconds a task must have taken to be named at its end

std::string rate_text(double rate) {
  char buffer[32];
  std::snprintf(buffer, sizeof buffer, rate >= 100 ? "%.0f/s" : "%.3g/s", rate);
  return rate >= 10000 ? grouped(std::llround(rate)) + "/s" : buffer;
}

std::string bar(std::int64_t done, std::int64_t total) {
  const auto filled = static_cast<int>(std::clamp<std::int64_t>(done * kBarWidth / total, 0, kBarWidth));
  return "[" + std::string(static_cast<std::size_t>(filled), '#') +
         std::string(static_cast<std::size_t>(kBarWidth - filled), '.') + "]";
}

std::string counts(std::int64_t done, std::int64_t total) {
  return total > 0 ? grouped(done) + "/" + grouped(total) : grouped(done);
}

std::size_t terminal_width() {
  winsize size{};
  return ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 20 ? size.ws_col : 100;
}

}  // namespace

std::string grouped(std::int64_t number) {
  std::string text = std::to_string(number);
  for (auto at = static_cast<std::ptrdiff_t>(text.size()) - 3; at > (number < 0 ? 1 : 0); at -= 3)
    text.insert(static_cast<std::size_t>(at), ",");
  return text;
}

std::string clock_text(double seconds) {
  const auto whole = std::lround(seconds);
  char buffer[48];
  if (whole >= 3600)
    std::snprintf(buffer, sizeof buffer, "%ld:%02ld:%02ld", whole / 3600, whole / 60 % 60, whole % 60);
  else
    std::snprintf(buffer, sizeof buffer, "%ld:%02ld", whole / 60, whole % 60);
  return buffer;
}

Console::Console(std::FILE* stream, bool terminal, Verbosity verbosity)
    : stream_(stream), terminal_(terminal), verbosity_(verbosity) {}

Console::Console(Verbosity verbosity) : Console(stderr, ::isatty(STDERR_FILENO) == 1, verbosity) {}

Console::~Console() { erase_bar(); }

void Console::erase_bar() {
  if (bar_drawn_) std::fputs("\r\x1b[K", stream_);
  bar_drawn_ = false;
}

void Console::line(std::string_view text) {
  erase_bar();
  std::fwrite(text.data(), 1, text.size(), stream_);
  std::fputc('\n', stream_);
  std::fflush(stream_);
}

void Console::message(Level level, std::string_view text) {
  const std::lock_guard lock(mutex_);
  if (level == Level::kWarning)
    line("warning: " + std::string(text));
  else if (verbosity_ == Verbosity::kVerbose || (level == Level::kInfo && verbosity_ == Verbosity::kNormal))
    line(text);
}

void Console::progress(std::string_view task, std::int64_t done, std::int64_t total, double rate,
                       double eta_seconds, std::string_view note, bool last) {
  const std::lock_guard lock(mutex_);
  if (verbosity_ == Verbosity::kQuiet) return;
  const auto now = Clock::now();
  if (task_ != task) {
    task_ = task;
    task_start_ = last_plain_ = now;
  }
  const double elapsed = std::chrono::duration<double>(now - task_start_).count();
  std::string text(task);
  if (last) {
    task_.clear();
    erase_bar();
    if (elapsed < kWorthALine && verbosity_ != Verbosity::kVerbose) return;
    text += (total > 0 && done < total ? ": stopped at " : ": ") + counts(done, total) + " in " +
            clock_text(elapsed);
    if (rate > 0) text += ", " + rate_text(rate);
    if (!note.empty()) text += ", " + std::string(note);
    line(text);
    return;
  }
  if (terminal_ && total > 0) text += " " + bar(done, total);
  text += " " + counts(done, total);
  if (total > 0) text += " (" + std::to_string(done * 100 / total) + " %)";
  if (rate > 0) text += ", " + rate_text(rate);
  if (eta_seconds >= 0) text += ", " + clock_text(eta_seconds) + " left";
  if (!note.empty()) text += ", " + std::string(note);
  if (terminal_) {
    text.resize(std::min(text.size(), terminal_width() - 1));
    erase_bar();
    std::fputs(text.c_str(), stream_);
    std::fflush(stream_);
    bar_drawn_ = true;
  } else if (now - last_plain_ >= kPlainInterval) {
    last_plain_ = now;
    line(text);
  }
}

}  // namespace hyperllm::apps
