#include "hyperllm/base/parallel.h"

#include <linux/futex.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <exception>
#include <mutex>
#include <new>
#include <thread>
#include <utility>

#include "hyperllm/base/processors.h"

namespace hyperllm {
namespace {

std::atomic<int> wanted{0};

int default_threads() {
  static const int processors = available_processors();
  return processors;
}

// std::atomic::wait yields first, which on a busy processor gives a whole time slice away.
void sleep_while(const std::atomic<int>& word, int value) {
  ::syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, value, nullptr, nullptr, 0);
}
void wake(const std::atomic<int>& word, int count) {
  ::syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, count, nullptr, nullptr, 0);
}

void pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

using Clock = std::chrono::steady_clock;

// A quiet machine is one on which none of our threads had to leave its processor to others for a while.
// There, waiting awake costs nothing and saves the time that it takes to be woken; elsewhere it takes the
// processor from the thread that is waited for.
constexpr std::chrono::microseconds kSpin{200};
constexpr std::chrono::milliseconds kAWhile{100};

std::atomic<Clock::time_point> crowded_until{Clock::time_point::min()};

bool quiet(Clock::time_point now) {
  thread_local long seen = 0;
  rusage usage{};
  ::getrusage(RUSAGE_THREAD, &usage);
  if (std::exchange(seen, usage.ru_nivcsw) != usage.ru_nivcsw) crowded_until = now + kAWhile;
  return now >= crowded_until.load();
}

// Whether `done` came true in a wait awake.
template <class Done>
bool spin_until(const Done& done) {
  const auto start = Clock::now();
  if (!quiet(start)) return false;
  do {
    for (int i = 0; i < 16; ++i) {
      if (done()) return true;
      pause();
    }
  } while (Clock::now() - start < kSpin);
  return false;
}

// Threads that help with one loop at a time. A helper takes a seat, does blocks until there are none, and
// leaves. The loop is over when there are no more blocks and nobody sits: whoever finds no block takes the
// free seats away, so that a helper that comes late has no part in it.
class Helpers {
 public:
  // False, and nothing done, if another loop runs.
  bool run(std::int64_t blocks, int threads, const std::function<void(std::int64_t)>& body) {
    if (busy_.exchange(true)) return false;
    const int seats = hire(static_cast<int>(std::min<std::int64_t>(blocks, threads)) - 1);
    spin_ = threads <= default_threads();
    blocks_ = blocks;
    body_ = &body;
    failed_ = blocks;
    next_ = 0;
    seats_ = seats * kFreeSeat;
    ++loops_;
    if (asleep_ > 0) wake(loops_, seats);
    do_blocks();
    wait_for_helpers();
    const std::exception_ptr failure = std::exchange(failure_, nullptr);
    busy_ = false;
    if (failure) std::rethrow_exception(failure);
    return true;
  }

 private:
  static constexpr int kFreeSeat = 1 << 16;

  // As many of `count` helpers as the system grants.
  int hire(int count) {
    while (hired_ < count && !refused_) {
      try {
        std::thread([this] { help(); }).detach();
        ++hired_;
      } catch (const std::exception&) {
        refused_ = true;
      }
    }
    return std::min(hired_, count);
  }

  [[noreturn]] void help() {
    while (true) {
      const int seen = loops_;
      if (take_seat()) {
        do_blocks();
        if (--seats_ == 0 && caller_sleeps_) wake(seats_, 1);
      } else if (!spin_ || !spin_until([&] { return loops_ != seen; })) {
        ++asleep_;
        sleep_while(loops_, seen);
        --asleep_;
      }
    }
  }

  bool take_seat() {
    int seats = seats_;
    while (seats >= kFreeSeat)
      if (seats_.compare_exchange_weak(seats, seats - kFreeSeat + 1)) return true;
    return false;
  }

  void do_blocks() {
    for (std::int64_t block = next_++; block < blocks_; block = next_++) {
      try {
        (*body_)(block);
      } catch (...) {
        const std::lock_guard lock(mutex_);
        if (block < failed_) failure_ = std::current_exception();
        failed_ = std::min(failed_, block);
        next_ = blocks_;
      }
    }
    seats_ &= kFreeSeat - 1;
  }

  void wait_for_helpers() {
    if (seats_ == 0 || (spin_ && spin_until([&] { return seats_ == 0; }))) return;
    caller_sleeps_ = true;
    for (int seats = seats_; seats > 0; seats = seats_) sleep_while(seats_, seats);
    caller_sleeps_ = false;
  }

  std::atomic<bool> busy_{false};
  // Of the loop that runs; the caller's alone but while a seat is taken.
  std::int64_t blocks_ = 0;
  const std::function<void(std::int64_t)>* body_ = nullptr;
  std::mutex mutex_;  // of the next two
  std::int64_t failed_ = 0;
  std::exception_ptr failure_;
  int hired_ = 0;
  bool refused_ = false;

  std::atomic<bool> spin_{false}, caller_sleeps_{false};
  std::atomic<int> asleep_{0};
  std::atomic<int> loops_{0};  // begun so far; helpers sleep on it
  alignas(64) std::atomic<int> seats_{
      0};  // free ones times kFreeSeat, and those taken; the caller sleeps on it
  alignas(64) std::atomic<std::int64_t> next_{0};
};

// Never destroyed, for its threads run until the process ends. A child of fork() has none of them and begins
// anew.
Helpers& helpers() {
  alignas(Helpers) static std::byte memory[sizeof(Helpers)];
  static Helpers* const instance = [] {
    ::pthread_atfork(nullptr, nullptr, [] { ::new (memory) Helpers; });
    return ::new (memory) Helpers;
  }();
  return *instance;
}

}  // namespace

void set_num_threads(int count) { wanted = std::clamp(count, 0, kMostThreads); }

int num_threads() { return wanted > 0 ? wanted.load() : default_threads(); }

void parallel_blocks(std::int64_t blocks, const std::function<void(std::int64_t)>& body) {
  const int threads = num_threads();
  if (blocks > 1 && threads > 1 && helpers().run(blocks, threads, body)) return;
  for (std::int64_t block = 0; block < blocks; ++block) body(block);
}

void parallel_ranges(std::int64_t count, std::int64_t grain,
                     const std::function<void(std::int64_t, std::int64_t)>& body) {
  parallel_blocks((count + grain - 1) / grain,
                  [&](std::int64_t block) { body(block * grain, std::min(count, (block + 1) * grain)); });
}

}  // namespace hyperllm
