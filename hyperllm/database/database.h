// SQL for stores that several processes may work on, to SQLite or to PostgreSQL.
#pragma once

#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace hyperllm::database {

// One connection, used by one thread. Parameters are written $1, $2, ...; values travel as text, NULL reads
// as "". Failures throw kIo with the database's own words.
class Database {
 public:
  using Row = std::vector<std::string>;

  virtual ~Database() = default;
  virtual std::vector<Row> run(const std::string& sql, std::span<const std::string> parameters = {}) = 0;
  // The same statement for many rows of parameters: one round trip where the database is a server.
  virtual std::vector<std::vector<Row>> run_many(const std::string& sql, std::span<const Row> parameters) = 0;
  // True for PostgreSQL, which several machines may share and which has locks and words of its own.
  virtual bool on_server() const = 0;
};

// How messages speak of a file of SQLite's.
struct Words {
  std::string what;     // "call store"
  std::string another;  // what to do about a file that is something else: "Name another file with --store"
  std::string busy;     // what to do while another process has it for itself
};

enum class Access {
  kAlone,   // a lock beside the file (FILE.lock) keeps a second process out for as long as this one lives
  kShared,  // other processes may write at the same time; each waits for the others, a minute at most
  kRead,    // without any lock: another process may be writing
};

// Opens the file, or makes it unless it is only read, in WAL mode. Throws kIo for what is no file of
// SQLite's, and leaves nothing beside it; kUnavailable if another process has the lock of kAlone.
std::unique_ptr<Database> open_sqlite(const std::filesystem::path& file, Access access, const Words& words);

// `url` as libpq takes it: postgresql://user@host/database. Throws kUnavailable if there is no connection
// within ten seconds (or what the URL's connect_timeout says). No message holds the URL's password. `what`:
// how messages call the store.
std::unique_ptr<Database> open_postgres(const std::string& url, const std::string& what);

// Writes of one process at a time in SQLite: what is read in it stays true until commit(). Rolls back if
// destroyed without commit().
class Transaction {
 public:
  explicit Transaction(Database& database);
  ~Transaction();
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;
  void commit();

 private:
  Database& database_;
  bool open_ = true;
};

}  // namespace hyperllm::database
