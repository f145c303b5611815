#include "hyperllm/llm/call_store.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <filesystem>
#include <thread>

#include "hyperllm/base/error.h"
#include "hyperllm/base/files.h"
#include "hyperllm/database/database.h"
#include "tests/llm/child_process.h"
#include "tests/llm/temporary_postgres.h"

namespace hyperllm::llm {
namespace {

// Every store must pass the same tests; the parameter names the database.
class Store : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    if (GetParam() == "postgresql") {
      where_ = testing_support::temporary_postgres();
      if (where_.empty()) GTEST_SKIP() << "PostgreSQL's server programs are not installed";
      auto database = database::open_postgres(where_, "call store");
      database->run("DROP TABLE IF EXISTS calls, attempts, facts");
    } else {
      file_ = std::filesystem::path(testing::TempDir()) / ("store_" + std::to_string(::getpid()) + ".sqlite");
      where_ = file_.string();
      remove();
    }
  }
  void TearDown() override { remove(); }
  void remove() {
    for (const char* suffix : {"", "-wal", "-shm", ".lock"}) std::filesystem::remove(file_.string() + suffix);
  }

  std::string where_;
  std::filesystem::path file_;
};

std::vector<CallId> calls(int count) {
  std::vector<CallId> ids;
  for (int i = 0; i < count; ++i)
    ids.push_back({"key" + std::to_string(i), "item", "subject" + std::to_string(i)});
  return ids;
}

Attempt attempt(const std::string& key, const std::string& outcome, CallState state,
                const std::string& reply = "r") {
  Attempt a;
  a.key = key;
  a.outcome = outcome;
  a.problem = outcome == "ok" ? "" : "bad " + outcome;
  a.reply = reply;
  a.state = state;
  a.prompt_tokens = 10;
  a.completion_tokens = 5;
  a.cost = 0.25;
  return a;
}

TEST_P(Store, RemembersAcrossOpenings) {
  {
    auto store = CallStore::open(where_);
    for (const auto& claimed : store->claim(calls(3))) EXPECT_EQ(claimed.claim, Claim::kMine);
    const std::string odd = "it's \"odd\"; DROP TABLE calls; \xff \u4e2d";
    store->record(std::vector{attempt("key0", "ok", CallState::kDone, odd),
                              attempt("key1", "invalid", CallState::kPending),
                              attempt("key1", "invalid", CallState::kDead)});
    store->set_fact("dialect", "a");
    store->set_fact("dialect", "b");
  }
  auto store = CallStore::open(where_);
  const auto claims = store->claim(calls(4));
  EXPECT_EQ(claims[0].claim, Claim::kDone);
  EXPECT_EQ(claims[1].claim, Claim::kDead);
  EXPECT_EQ(claims[1].attempts, 2);
  EXPECT_EQ(claims[2].claim, Claim::kMine);
  const auto found = store->find(std::vector<std::string>{"key0", "nobody", "key1"});
  EXPECT_EQ(found[0]->reply, "it's \"odd\"; DROP TABLE calls; \ufffd \u4e2d");
  EXPECT_FALSE(found[1].has_value());
  EXPECT_EQ(found[2]->problem, "bad invalid");
  EXPECT_EQ(store->fact("dialect"), "b");
  EXPECT_EQ(store->fact("none"), "");
}

TEST_P(Store, DeadCallsCanBeReopenedAndStartAfresh) {
  auto store = CallStore::open(where_);
  store->claim(calls(1));
  store->record(std::vector{attempt("key0", "invalid", CallState::kDead)});
  EXPECT_EQ(store->attempts("key0").size(), 1u);
  EXPECT_EQ(store->reopen_dead(), 1);
  const auto claims = store->claim(calls(1));
  EXPECT_EQ(claims[0].claim, Claim::kMine);
  EXPECT_EQ(claims[0].attempts, 0);
  EXPECT_TRUE(store->attempts("key0").empty());
  store->record(std::vector{attempt("key0", "ok", CallState::kDone)});
  EXPECT_EQ(store->report().kinds[0].attempts, 2);
}

TEST_P(Store, ReportCountsWhatHappened) {
  auto store = CallStore::open(where_);
  store->claim(calls(5));
  Attempt mended = attempt("key3", "ok", CallState::kDone);
  mended.mended = "code fence";
  store->record(
      std::vector{attempt("key0", "ok", CallState::kDone), attempt("key1", "invalid", CallState::kPending),
                  attempt("key1", "ok", CallState::kDone), attempt("key2", "http", CallState::kDead),
                  attempt("key3", "timeout", CallState::kPending), mended});
  const StoreReport report = store->report();
  ASSERT_EQ(report.kinds.size(), 1u);
  const KindReport& kind = report.kinds[0];
  EXPECT_EQ(kind.calls, 5);
  EXPECT_EQ(kind.done, 3);
  EXPECT_EQ(kind.first_try, 2) << "a timeout is no wrong answer";
  EXPECT_EQ(kind.after_repair, 1);
  EXPECT_EQ(kind.dead, 1);
  EXPECT_EQ(kind.pending, 1);
  EXPECT_EQ(kind.mended, 1);
  EXPECT_EQ(kind.attempts, 6);
  EXPECT_EQ(kind.prompt_tokens, 60);
  EXPECT_DOUBLE_EQ(kind.cost, 1.5);
  ASSERT_EQ(report.dead.size(), 1u);
  EXPECT_EQ(report.dead[0].subject, "subject2");
  EXPECT_EQ(report.problems.size(), 3u);
  EXPECT_DOUBLE_EQ(store->spent().cost, 1.5);
}

// A child records call after call and is killed in the middle: all that it said it had recorded is there.
TEST_P(Store, LosesNothingWhenKilled) {
  { CallStore::open(where_)->claim(calls(1)); }
  int channel[2];
  ASSERT_EQ(::pipe(channel), 0);
  const pid_t child = testing_support::in_child([&] {
    auto store = CallStore::open(where_);
    for (int i = 0;; ++i) {
      const std::string key = "k" + std::to_string(i);
      store->claim(std::vector<CallId>{{key, "item", key}});
      store->record(std::vector{attempt(key, "ok", CallState::kDone)});
      if (::write(channel[1], &i, sizeof i) != sizeof i) return;
    }
  });
  int last = -1;
  while (last < 100) ASSERT_EQ(::read(channel[0], &last, sizeof last), static_cast<ssize_t>(sizeof last));
  ::kill(child, SIGKILL);
  ::close(channel[1]);
  while (::read(channel[0], &last, sizeof last) == static_cast<ssize_t>(sizeof last)) {
  }
  ::close(channel[0]);
  ::waitpid(child, nullptr, 0);
  auto store = CallStore::open(where_);
  for (int i = 0; i <= last; ++i)
    ASSERT_EQ(store->find(std::vector{"k" + std::to_string(i)})[0]->state, CallState::kDone) << i;
}

INSTANTIATE_TEST_SUITE_P(Databases, Store, testing::Values("sqlite", "postgresql"),
                         [](const auto& test) { return test.param; });

TEST(SqliteStore, KeepsASecondProcessOut) {
  const auto file =
      std::filesystem::path(testing::TempDir()) / ("lock_" + std::to_string(::getpid()) + ".sqlite");
  auto store = CallStore::open(file);
  try {
    CallStore::open(file);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kUnavailable);
    EXPECT_NE(std::string(error.what()).find("postgresql://"), std::string::npos);
  }
  store.reset();
  CallStore::open(file).reset();
  for (const char* suffix : {"", "-wal", "-shm", ".lock"}) std::filesystem::remove(file.string() + suffix);
}

TEST(SqliteStore, OnAFullDiskKeepsWhatItHasAndGoesOnLater) {
  const auto file =
      std::filesystem::path(testing::TempDir()) / ("full_" + std::to_string(::getpid()) + ".sqlite");
  int channel[2];
  ASSERT_EQ(::pipe(channel), 0);
  const pid_t child = testing_support::in_child([&] {
    ::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{2000000, 2000000};  // no file may grow beyond: writing fails as on a full disk
    ::setrlimit(RLIMIT_FSIZE, &limit);
    auto store = CallStore::open(file);
    std::string message;
    for (int i = 0; i < 1000; ++i) try {
        const std::string key = "k" + std::to_string(i);
        store->claim(std::vector<CallId>{{key, "item", key}});
        store->record(std::vector{attempt(key, "ok", CallState::kDone, std::string(2000, 'r'))});
        if (::write(channel[1], &i, sizeof i) != sizeof i) return;
      } catch (const Error& error) {
        message = error.what();
        if (error.code() != ErrorCode::kIo || message.find("full_") == std::string::npos ||
            message.find("Free some space") == std::string::npos)
          throw;
        return;
      }
    throw std::runtime_error("the disk never filled up");
  });
  ::close(channel[1]);
  int last = -1;
  while (::read(channel[0], &last, sizeof last) == static_cast<ssize_t>(sizeof last)) {
  }
  ::close(channel[0]);
  EXPECT_TRUE(testing_support::ended_well(child));
  ASSERT_GT(last, 20);
  auto store = CallStore::open(file);
  for (int i = 0; i <= last; ++i)
    ASSERT_EQ(store->find(std::vector{"k" + std::to_string(i)})[0]->reply.size(), 2000u) << i;
  store->claim(std::vector<CallId>{{"more", "item", "more"}});
  store->record(std::vector{attempt("more", "ok", CallState::kDone)});
  EXPECT_EQ(store->report().kinds[0].done, last + 2);
  store.reset();
  for (const char* suffix : {"", "-wal", "-shm", ".lock"}) std::filesystem::remove(file.string() + suffix);
}

TEST(SqliteStore, SaysThatAFileIsNoDatabase) {
  const auto file =
      std::filesystem::path(testing::TempDir()) / ("text_" + std::to_string(::getpid()) + ".sqlite");
  write_file(file, std::string(5000, 'x'));
  try {
    CallStore::open(file);
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("not a database"), std::string::npos) << error.what();
  }
  for (const char* suffix : {"", ".lock"}) std::filesystem::remove(file.string() + suffix);
}

TEST(PostgresStore, WorkersDivideTheCallsAndTheDeadLoseTheirs) {
  const std::string where = testing_support::temporary_postgres();
  if (where.empty()) GTEST_SKIP() << "PostgreSQL's server programs are not installed";
  database::open_postgres(where, "call store")->run("DROP TABLE IF EXISTS calls, attempts, facts");
  auto first = CallStore::open(where), second = CallStore::open(where);
  first->claim(calls(2));
  auto claims = second->claim(calls(3));
  EXPECT_EQ(claims[0].claim, Claim::kTheirs);
  EXPECT_EQ(claims[1].claim, Claim::kTheirs);
  EXPECT_EQ(claims[2].claim, Claim::kMine);
  first->record(std::vector{attempt("key0", "ok", CallState::kDone)});
  EXPECT_EQ(second->claim(calls(1))[0].claim, Claim::kDone);
  first.reset();
  for (int tries = 0; tries < 100; ++tries) {  // the server notices the closed connection in a moment
    claims = second->claim(calls(3));
    if (claims[1].claim == Claim::kMine) break;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  EXPECT_EQ(claims[1].claim, Claim::kMine);
}

// What "IF NOT EXISTS" promises holds only for those who come one after the other.
TEST(PostgresStore, WorkersMayStartAtOnceOnAnEmptyDatabase) {
  const std::string where = testing_support::temporary_postgres();
  if (where.empty()) GTEST_SKIP() << "PostgreSQL's server programs are not installed";
  const auto server = database::open_postgres(where, "call store");
  for (int round = 0; round < 8; ++round) {
    const std::string name = "fresh" + std::to_string(round);
    server->run("CREATE DATABASE " + name);
    std::string fresh = where;
    fresh.replace(fresh.find("/postgres?"), 9, "/" + name);
    int ready[2], start[2];
    ASSERT_EQ(::pipe(ready), 0);
    ASSERT_EQ(::pipe(start), 0);
    std::vector<pid_t> children;
    for (int i = 0; i < 2; ++i)
      children.push_back(testing_support::in_child([&] {
        auto connected = database::open_postgres(fresh, "call store");
        char byte = 0;
        if (::write(ready[1], &byte, 1) != 1 || ::read(start[0], &byte, 1) != 1) return;
        CallStore store(std::move(connected));
      }));
    char bytes[2] = {};
    for (int i = 0; i < 2; ++i) ASSERT_EQ(::read(ready[0], bytes, 1), 1);
    ASSERT_EQ(::write(start[1], bytes, 2), 2);
    for (const pid_t child : children) EXPECT_TRUE(testing_support::ended_well(child));
    for (const int end : {ready[0], ready[1], start[0], start[1]}) ::close(end);
    EXPECT_EQ(database::open_postgres(fresh, "call store")->run("SELECT last_value FROM workers")[0][0], "2");
  }
}

TEST(PostgresStore, SaysThatThereIsNoServer) {
  try {
    CallStore::open("postgresql://127.0.0.1:1/nothing");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kUnavailable);
    EXPECT_NE(std::string(error.what()).find("no connection"), std::string::npos);
  }
}

}  // namespace
}  // namespace hyperllm::llm
