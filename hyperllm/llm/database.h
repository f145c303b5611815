// The SQL that the call store speaks, to SQLite or to PostgreSQL.
#pragma once

#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace hyperllm::llm {

// One connection, used by one thread. Parameters are written $1, $2, ...; values travel as text, and NULL
// reads as "". Failures throw kIo with the database's own words.
class Database {
 public:
  using Row = std::vector<std::string>;

  virtual ~Database() = default;
  virtual std::vector<Row> run(const std::string& sql, std::span<const std::string> parameters = {}) = 0;
  // The same statement for many rows of parameters: one round trip where the database is a server.
  virtual std::vector<std::vector<Row>> run_many(const std::string& sql, std::span<const Row> parameters) = 0;
  // True if other processes may work on the same rows at the same time.
  virtual bool shared() const = 0;
};

// Opens or makes the file, in WAL mode. A lock beside it (FILE.lock) keeps a second process out for as long
// as this one lives, however it ends; throws kUnavailable if another process holds it.
// Throws kIo for what is no file of SQLite's, and leaves nothing beside it.
std::unique_ptr<Database> open_sqlite(const std::filesystem::path& file);

// Opens the file to read, without the lock: another process may be writing.
std::unique_ptr<Database> open_sqlite_to_read(const std::filesystem::path& file);

// `url` as libpq takes it: postgresql://user@host/database. Throws kUnavailable if there is no connection
// within ten seconds (or what the URL's connect_timeout says). No message holds the URL's password.
std::unique_ptr<Database> open_postgres(const std::string& url);

// BEGIN ... COMMIT; rolls back if destroyed without commit().
class Transaction {
 public:
  explicit Transaction(Database& database) : database_(database) { database_.run("BEGIN"); }
  ~Transaction();
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;
  void commit();

 private:
  Database& database_;
  bool open_ = true;
};

}  // namespace hyperllm::llm
