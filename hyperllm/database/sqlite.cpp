#include <sqlite3.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <optional>
#include <unordered_map>

#include "hyperllm/base/error.h"
#include "hyperllm/base/files.h"
#include "hyperllm/base/lock.h"
#include "hyperllm/database/database.h"

namespace hyperllm::database {
namespace {

// Before a lock is made beside it, and before SQLite reads a device to its end.
void check_is_store(const std::filesystem::path& file, const Words& words) {
  constexpr std::string_view kMagic("SQLite format 3\0", 16);
  std::error_code error;
  const auto status = std::filesystem::status(file, error);
  if (!std::filesystem::exists(status)) return;
  const std::string name = file.string();
  const std::string remedy = " a " + words.what + ". " + words.another + ".";
  HYPERLLM_CHECK(!std::filesystem::is_directory(status), ErrorCode::kIo, name + ": a folder, not" + remedy);
  HYPERLLM_CHECK(std::filesystem::is_regular_file(status), ErrorCode::kIo,
                 name + ": is a pipe or a device, not" + remedy);
  std::ifstream stream(file, std::ios::binary);
  HYPERLLM_CHECK(stream.is_open(), ErrorCode::kIo, name + ": cannot open: " + std::strerror(errno));
  std::array<char, 16> head{};
  stream.read(head.data(), head.size());
  const std::string_view read(head.data(), static_cast<std::size_t>(stream.gcount()));
  HYPERLLM_CHECK(read.empty() || read == kMagic, ErrorCode::kIo,
                 name + ": not a database of SQLite, so not" + remedy);
}

class Sqlite : public Database {
 public:
  Sqlite(const std::filesystem::path& file, Access access, Words words)
      : file_(resolve_links(file)), words_(std::move(words)) {
    check_is_store(file, words_);
    if (access == Access::kAlone)
      lock_.emplace(file_.string() + ".lock",
                    file.string() + ": another process is working on this " + words_.what, words_.busy);
    // A reader may write too, as far as SQLite goes: one that may not leaves files of the WAL behind.
    const int how = SQLITE_OPEN_READWRITE | (access == Access::kRead ? 0 : SQLITE_OPEN_CREATE);
    check(sqlite3_open_v2(file_.c_str(), &connection_, how | SQLITE_OPEN_NOMUTEX, nullptr));
    sqlite3_busy_timeout(connection_, access == Access::kShared ? 60000 : 10000);
    if (access == Access::kRead) {
      run("PRAGMA query_only = 1", {});
      return;
    }
    // WAL with synchronous NORMAL: a killed process loses nothing; a power cut may lose the last moments.
    run("PRAGMA journal_mode = WAL", {});
    run("PRAGMA synchronous = NORMAL", {});
    run("PRAGMA cache_size = -32000", {});
    // A checkpoint waits for the disk, so there are few of them.
    run("PRAGMA wal_autocheckpoint = 16384", {});
  }
  ~Sqlite() override {
    for (auto& [sql, statement] : statements_) sqlite3_finalize(statement);
    sqlite3_close(connection_);
  }

  std::vector<Row> run(const std::string& sql, std::span<const std::string> parameters) override {
    sqlite3_stmt* statement = prepared(sql);
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      const int index = sqlite3_bind_parameter_index(statement, ("$" + std::to_string(i + 1)).c_str());
      check(sqlite3_bind_text(statement, index, parameters[i].data(), static_cast<int>(parameters[i].size()),
                              SQLITE_STATIC));
    }
    std::vector<Row> rows;
    int status = sqlite3_step(statement);
    for (; status == SQLITE_ROW; status = sqlite3_step(statement)) rows.push_back(row_of(statement));
    sqlite3_reset(statement);
    check(status == SQLITE_DONE ? SQLITE_OK : status);
    return rows;
  }

  std::vector<std::vector<Row>> run_many(const std::string& sql, std::span<const Row> parameters) override {
    std::vector<std::vector<Row>> results;
    results.reserve(parameters.size());
    for (const Row& row : parameters) results.push_back(run(sql, row));
    return results;
  }

  bool on_server() const override { return false; }

 private:
  void check(int status) const {
    if (status == SQLITE_OK) return;
    std::string message =
        file_.string() + ": " + (connection_ ? sqlite3_errmsg(connection_) : "out of memory");
    if (status == SQLITE_NOTADB || status == SQLITE_CORRUPT)
      message += ". " + words_.another + ", or remove this one";
    if (status == SQLITE_READONLY || status == SQLITE_CANTOPEN)
      message += ". Check the permissions of the file and of its folder";
    if (status == SQLITE_FULL || status == SQLITE_IOERR)
      message += ". Free some space, then run the same command: what was done before is kept";
    throw Error(ErrorCode::kIo, message);
  }

  sqlite3_stmt* prepared(const std::string& sql) {
    sqlite3_stmt*& statement = statements_[sql];
    if (!statement)
      check(sqlite3_prepare_v3(connection_, sql.data(), static_cast<int>(sql.size()),
                               SQLITE_PREPARE_PERSISTENT, &statement, nullptr));
    return statement;
  }

  static Row row_of(sqlite3_stmt* statement) {
    Row row;
    for (int i = 0; i < sqlite3_column_count(statement); ++i) {
      const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(statement, i));
      row.emplace_back(text ? std::string(text, static_cast<std::size_t>(sqlite3_column_bytes(statement, i)))
                            : std::string());
    }
    return row;
  }

  std::filesystem::path file_;
  Words words_;
  std::optional<FileLock> lock_;
  sqlite3* connection_ = nullptr;
  std::unordered_map<std::string, sqlite3_stmt*> statements_;
};

}  // namespace

std::unique_ptr<Database> open_sqlite(const std::filesystem::path& file, Access access, const Words& words) {
  if (access != Access::kRead && file.has_parent_path()) make_folder(file.parent_path());
  return std::make_unique<Sqlite>(file, access, words);
}

Transaction::Transaction(Database& database) : database_(database) {
  // SQLite refuses to turn a reader into a writer where another has written in between.
  database_.run(database_.on_server() ? "BEGIN" : "BEGIN IMMEDIATE");
}

Transaction::~Transaction() {
  if (!open_) return;
  try {
    database_.run("ROLLBACK");
  } catch (...) {  // the error that is unwinding matters more
  }
}

void Transaction::commit() {
  database_.run("COMMIT");
  open_ = false;
}

}  // namespace hyperllm::database
