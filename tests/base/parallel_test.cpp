#include "hyperllm/base/parallel.h"

#include <gtest/gtest.h>
#include <malloc.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace hyperllm {
namespace {

class Parallel : public ::testing::Test {
 protected:
  void TearDown() override { set_num_threads(0); }
};

// A loop of `threads` blocks each of which waits until all have begun: as many threads as blocks work on it.
void meet(int threads, std::vector<pthread_t>* who = nullptr) {
  set_num_threads(threads);
  std::vector<pthread_t> met(static_cast<std::size_t>(threads));
  std::atomic<int> begun{0};
  parallel_blocks(threads, [&](std::int64_t block) {
    met[static_cast<std::size_t>(block)] = ::pthread_self();
    for (++begun; begun < threads;) std::this_thread::yield();
  });
  if (who) *who = met;
}

void expect_each_block_once(std::int64_t blocks) {
  std::vector<unsigned char> visits(static_cast<std::size_t>(blocks));
  parallel_blocks(blocks, [&](std::int64_t block) { ++visits[static_cast<std::size_t>(block)]; });
  EXPECT_EQ(visits, std::vector<unsigned char>(static_cast<std::size_t>(blocks), 1));
}

TEST_F(Parallel, EveryBlockOnce) {
  for (int threads : {1, 2, 4}) {
    set_num_threads(threads);
    std::vector<int> visits(1001);
    parallel_ranges(1001, 10, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) ++visits[i];
    });
    EXPECT_EQ(visits, std::vector<int>(1001, 1)) << threads << " threads";
    for (std::int64_t blocks : {0, 1, 2, 1'000'000}) expect_each_block_once(blocks);
  }
}

TEST_F(Parallel, ManyShortLoops) {
  set_num_threads(3);
  std::int64_t sum = 0;
  for (int loop = 0; loop < 20'000; ++loop) {
    std::vector<int> parts(4);
    parallel_blocks(4, [&](std::int64_t block) { parts[static_cast<std::size_t>(block)] = 1; });
    for (int part : parts) sum += part;
  }
  EXPECT_EQ(sum, 80'000);
}

TEST_F(Parallel, AsManyThreadsAsAskedFor) {
  for (int threads : {2, 5, 3, 8}) {
    std::vector<pthread_t> who;
    meet(threads, &who);
    EXPECT_EQ(std::set<pthread_t>(who.begin(), who.end()).size(), static_cast<std::size_t>(threads));
  }
  set_num_threads(1);
  parallel_blocks(8, [self = ::pthread_self()](std::int64_t) { EXPECT_EQ(::pthread_self(), self); });
  set_num_threads(1'000'000);
  EXPECT_EQ(num_threads(), kMostThreads);
}

TEST_F(Parallel, ExceptionsReachTheCaller) {
  for (int threads : {1, 2, 4}) {
    set_num_threads(threads);
    for (int loop = 0; loop < 200; ++loop) {
      try {
        parallel_blocks(100, [](std::int64_t block) {
          if (block >= 42 && block % 2 == 0) throw std::runtime_error(std::to_string(block));
        });
        FAIL();
      } catch (const std::runtime_error& error) {
        EXPECT_STREQ(error.what(), "42") << threads << " threads";
      }
    }
    expect_each_block_once(100);
  }
}

TEST_F(Parallel, NoBlockBeginsAfterAFailure) {
  set_num_threads(2);
  std::atomic<std::int64_t> done{0};
  EXPECT_THROW(parallel_blocks(1'000'000'000'000,
                               [&](std::int64_t block) {
                                 if (block == 7) throw std::runtime_error("x");
                                 ++done;
                               }),
               std::runtime_error);
  EXPECT_GE(done, 7);
}

TEST_F(Parallel, NestedLoopsAreDoneByTheirCaller) {
  set_num_threads(4);
  std::vector<int> visits(20 * 30);
  parallel_blocks(20, [&](std::int64_t outer) {
    const pthread_t self = ::pthread_self();
    parallel_blocks(30, [&](std::int64_t inner) {
      EXPECT_EQ(::pthread_self(), self);
      ++visits[static_cast<std::size_t>(outer * 30 + inner)];
    });
    EXPECT_THROW(parallel_blocks(2, [](std::int64_t) { throw std::runtime_error("x"); }), std::runtime_error);
  });
  EXPECT_EQ(visits, std::vector<int>(600, 1));
}

TEST_F(Parallel, ManyCallersAtOnce) {
  set_num_threads(3);
  std::atomic<int> wrong{0};
  {
    std::vector<std::jthread> callers;
    for (int caller = 0; caller < 6; ++caller)
      callers.emplace_back([&, caller] {
        for (int loop = 0; loop < 300; ++loop) {
          std::vector<int> visits(50);
          try {
            parallel_blocks(50, [&](std::int64_t block) {
              ++visits[static_cast<std::size_t>(block)];
              if (caller == 0 && block == 49) throw std::runtime_error("x");
            });
            wrong += caller == 0;
          } catch (const std::runtime_error&) {
            wrong += caller != 0;
          }
          wrong += visits != std::vector<int>(50, 1);
          if (caller == 1) set_num_threads(1 + loop % 5);
        }
      });
  }
  EXPECT_EQ(wrong, 0);
}

#ifndef __SANITIZE_THREAD__  // which delivers no signal to a sleeping thread, and does not like fork

std::atomic<int> held{0};
std::atomic<bool> let_go{false};

// Keeps a thread from its work as other programs do that hold the processor; for a minute at most, lest the
// test hang.
void hold(int) {
  ++held;
  for (int i = 0; i < 12'000 && !let_go; ++i) ::usleep(5'000);
  --held;
}

TEST_F(Parallel, HelpersThatGetNoProcessorHoldNothingUp) {
  std::vector<pthread_t> who;
  meet(4, &who);
  struct sigaction action {
  }, before{};
  action.sa_handler = hold;
  ASSERT_EQ(::sigaction(SIGUSR1, &action, &before), 0);
  for (pthread_t thread : who)
    if (thread != ::pthread_self()) ::pthread_kill(thread, SIGUSR1);
  while (held < 3) std::this_thread::yield();
  for (int loop = 0; loop < 100; ++loop) expect_each_block_once(1000);
  EXPECT_EQ(held, 3);
  let_go = true;
  while (held > 0) std::this_thread::yield();
  meet(4);
  ::sigaction(SIGUSR1, &before, nullptr);
}

// The exit status of a child that does this; 0 if it returns true.
template <class Body>
int in_child(const Body& body) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(body() ? 0 : 1);
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST_F(Parallel, AChildHasThreadsOfItsOwn) {
  meet(3);
  EXPECT_EQ(in_child([] {
              meet(3);
              return in_child([] { return meet(2), true; }) == 0;
            }),
            0);
  meet(3);
}

#ifndef __SANITIZE_ADDRESS__  // which needs all addresses

TEST_F(Parallel, ASystemThatRefusesThreadsGetsItsLoopsDone) {
  EXPECT_EQ(in_child([] {
              // The heap keeps room for small allocations; stacks of threads must come from the system.
              ::mallopt(M_TRIM_THRESHOLD, 64 << 20);
              {
                std::vector<std::unique_ptr<char[]>> room(16);
                for (auto& piece : room) piece = std::make_unique<char[]>(64 << 10);
              }
              const rlimit none{0, 0};
              ::setrlimit(RLIMIT_AS, &none);
              set_num_threads(64);
              std::atomic<std::int64_t> blocks{0};
              for (int loop = 0; loop < 3; ++loop) parallel_blocks(1000, [&](std::int64_t) { ++blocks; });
              return blocks == 3000;
            }),
            0);
}

#endif
#endif

}  // namespace
}  // namespace hyperllm
