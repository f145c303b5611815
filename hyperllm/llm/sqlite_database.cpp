#include <sqlite3.h>

#include <unordered_map>

#include "hyperllm/base/error.h"
#include "hyperllm/base/files.h"
#include "hyperllm/base/lock.h"
#include "hyperllm/llm/database.h"

namespace hyperllm::llm {
namespace {

// The file itself, whatever links lead to it, so that all of them mean one lock.
std::filesystem::path checked(const std::filesystem::path& file) {
  if (std::filesystem::exists(file)) require_regular_file(file);
  return resolve_links(file);
}

class Sqlite : public Database {
 public:
  explicit Sqlite(const std::filesystem::path& file)
      : file_(checked(file)),
        lock_(file_.string() + ".lock", file.string() + ": another process is working on this call store",
              "Wait for it, or share the work through a postgresql:// store.") {
    check(sqlite3_open_v2(file_.c_str(), &connection_,
                          SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, nullptr));
    sqlite3_busy_timeout(connection_, 10000);
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

  bool shared() const override { return false; }

 private:
  void check(int status) const {
    if (status == SQLITE_OK) return;
    std::string message =
        file_.string() + ": " + (connection_ ? sqlite3_errmsg(connection_) : "out of memory");
    if (status == SQLITE_NOTADB) message += ". Name another file with --store, or remove this one";
    if (status == SQLITE_FULL || status == SQLITE_IOERR)
      message += ". Free some space, then run the same command: what was answered before is kept";
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
  FileLock lock_;
  sqlite3* connection_ = nullptr;
  std::unordered_map<std::string, sqlite3_stmt*> statements_;
};

}  // namespace

std::unique_ptr<Database> open_sqlite(const std::filesystem::path& file) {
  if (file.has_parent_path()) make_folder(file.parent_path());
  return std::make_unique<Sqlite>(file);
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

}  // namespace hyperllm::llm
