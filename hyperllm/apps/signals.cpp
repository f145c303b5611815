#include "hyperllm/apps/signals.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <utility>

#include "hyperllm/base/error.h"

namespace hyperllm::apps {
namespace {

constexpr char kSignal = 's';
constexpr char kEnd = 'e';

std::atomic<int> signals_seen{0};
int wake_pipe[2] = {-1, -1};

// Only calls that POSIX allows inside a handler.
void handle(int) {
  const int saved = errno;
  if (signals_seen.fetch_add(1) > 0) ::_exit(130);
  [[maybe_unused]] const auto ignored = ::write(wake_pipe[1], &kSignal, 1);
  errno = saved;
}

void set_handlers(void (*handler)(int)) {
  struct sigaction action {};
  action.sa_handler = handler;
  action.sa_flags = SA_RESTART;
  sigemptyset(&action.sa_mask);
  for (const int signal : {SIGINT, SIGTERM}) ::sigaction(signal, &action, nullptr);
}

}  // namespace

StopOnSignals::StopOnSignals(std::function<void()> on_first) {
  HYPERLLM_CHECK(::pipe2(wake_pipe, O_CLOEXEC) == 0, ErrorCode::kIo, "cannot make a pipe for signals.");
  signals_seen = 0;
  watcher_ = std::thread([this, on_first = std::move(on_first)] {
    char byte = kEnd;
    while (::read(wake_pipe[0], &byte, 1) < 0 && errno == EINTR) {
    }
    if (byte != kSignal) return;
    source_.request_stop();
    on_first();
  });
  set_handlers(handle);
}

StopOnSignals::~StopOnSignals() {
  set_handlers(SIG_DFL);
  [[maybe_unused]] const auto ignored = ::write(wake_pipe[1], &kEnd, 1);
  watcher_.join();
  ::close(wake_pipe[0]);
  ::close(wake_pipe[1]);
}

}  // namespace hyperllm::apps
