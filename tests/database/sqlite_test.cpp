// What the stores above rely on; PostgreSQL is tried with them (tests/llm/call_store_test.cpp).
#include <gtest/gtest.h>

#include <array>
#include <thread>

#include "hyperllm/database/database.h"
#include "tests/support/folder.h"

namespace hyperllm::database {
namespace {

using hyperllm::test::expect_error;

const Words kWords = {"store of tests", "Name another file", "Wait for it."};

class SqliteTest : public hyperllm::test::FolderTest {
 protected:
  std::unique_ptr<Database> open(Access access) const {
    return open_sqlite(folder_ / "s.sqlite", access, kWords);
  }
};

TEST_F(SqliteTest, SharedItTakesTheWritesOfManyInTurn) {
  open(Access::kShared)->run("CREATE TABLE counts (value INTEGER)");
  open(Access::kShared)->run("INSERT INTO counts VALUES (0)");
  constexpr int kThreads = 4, kTimes = 25;
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i)
    threads.emplace_back([&] {
      const auto own = open(Access::kShared);
      for (int time = 0; time < kTimes; ++time) {
        // Read, then written: without a transaction of its own each would overwrite others' counts.
        Transaction transaction(*own);
        const int value = std::stoi(own->run("SELECT value FROM counts")[0][0]);
        own->run("UPDATE counts SET value = $1", std::array{std::to_string(value + 1)});
        transaction.commit();
      }
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(open(Access::kRead)->run("SELECT value FROM counts")[0][0], std::to_string(kThreads * kTimes));
}

TEST_F(SqliteTest, AloneItKeepsASecondOutAndNoReader) {
  const auto first = open(Access::kAlone);
  first->run("CREATE TABLE t (x TEXT)");
  expect_error(ErrorCode::kUnavailable,
               {"s.sqlite: another process is working on this store of tests", "Wait for it."},
               [&] { open(Access::kAlone); });
  EXPECT_TRUE(open(Access::kRead)->run("SELECT x FROM t").empty());
  expect_error(ErrorCode::kIo, {"readonly"}, [&] { open(Access::kRead)->run("INSERT INTO t VALUES ('a')"); });
}

TEST_F(SqliteTest, ATransactionThatIsNotCommittedChangesNothing) {
  const auto database = open(Access::kShared);
  database->run("CREATE TABLE t (x TEXT)");
  {
    Transaction transaction(*database);
    database->run("INSERT INTO t VALUES ('a')");
  }
  EXPECT_TRUE(database->run("SELECT x FROM t").empty());
}

TEST_F(SqliteTest, WhatIsNoDatabaseIsRefusedInTheWordsOfTheStore) {
  put("s.sqlite", "some text that is longer than its magic");
  expect_error(ErrorCode::kIo,
               {"s.sqlite: not a database of SQLite, so not a store of tests. Name another file."},
               [&] { open(Access::kShared); });
  EXPECT_FALSE(std::filesystem::exists(folder_ / "s.sqlite-wal"));
}

}  // namespace
}  // namespace hyperllm::database
