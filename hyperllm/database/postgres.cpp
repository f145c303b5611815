#include <libpq-fe.h>

#include "hyperllm/base/error.h"
#include "hyperllm/database/database.h"
#include "hyperllm/net/secrets.h"

namespace hyperllm::database {
namespace {

struct ResultFree {
  void operator()(PGresult* result) const { PQclear(result); }
};
using Result = std::unique_ptr<PGresult, ResultFree>;

std::vector<const char*> pointers(std::span<const std::string> parameters) {
  std::vector<const char*> values;
  for (const std::string& parameter : parameters) values.push_back(parameter.c_str());
  return values;
}

// The URL's password as people wrote it and as it is meant; the user's name may be told.
std::vector<std::string> passwords_of(std::string_view url) {
  std::vector<std::string> secrets = net::url_passwords(url);
  for (const std::string_view name : {"?password=", "&password="})
    if (const std::size_t at = url.find(name); at != std::string_view::npos) {
      const std::string_view value = url.substr(at + name.size());
      secrets.emplace_back(value.substr(0, value.find('&')));
    }
  return secrets;
}

class Postgres : public Database {
 public:
  Postgres(const std::string& url, std::string what) : secrets_(passwords_of(url)), what_(std::move(what)) {
    // What the URL says comes later and wins.
    const char* const names[] = {"connect_timeout", "dbname", nullptr};
    const char* const values[] = {"10", url.c_str(), nullptr};
    connection_ = PQconnectdbParams(names, values, 1);
    if (PQstatus(connection_) == CONNECTION_OK) {
      run("SET client_min_messages = warning", {});
      return;
    }
    const std::string reason = net::masked(PQerrorMessage(connection_), secrets_);
    PQfinish(connection_);
    throw Error(ErrorCode::kUnavailable, what_ + ": no connection to PostgreSQL: " + reason);
  }
  ~Postgres() override { PQfinish(connection_); }

  std::vector<Row> run(const std::string& sql, std::span<const std::string> parameters) override {
    const std::vector<const char*> values = pointers(parameters);
    const Result result(PQexecParams(connection_, sql.c_str(), static_cast<int>(values.size()), nullptr,
                                     values.data(), nullptr, nullptr, 0));
    return rows_of(result.get());
  }

  std::vector<std::vector<Row>> run_many(const std::string& sql, std::span<const Row> parameters) override {
    std::vector<std::vector<Row>> results;
    // A pipeline longer than the socket's buffers would block both sides, so it goes in pieces.
    constexpr std::size_t kPiece = 64;
    for (std::size_t at = 0; at < parameters.size(); at += kPiece)
      pipeline(sql, parameters.subspan(at, std::min(kPiece, parameters.size() - at)), results);
    return results;
  }

  bool on_server() const override { return true; }

 private:
  [[noreturn]] void fail() const {
    throw Error(ErrorCode::kIo,
                what_ + ": PostgreSQL: " + net::masked(PQerrorMessage(connection_), secrets_));
  }

  std::vector<Row> rows_of(const PGresult* result) const {
    const ExecStatusType status = PQresultStatus(result);
    if (status == PGRES_COMMAND_OK) return {};
    if (status != PGRES_TUPLES_OK) fail();
    std::vector<Row> rows(static_cast<std::size_t>(PQntuples(result)));
    for (int r = 0; r < PQntuples(result); ++r)
      for (int c = 0; c < PQnfields(result); ++c)
        rows[static_cast<std::size_t>(r)].emplace_back(PQgetvalue(result, r, c),
                                                       static_cast<std::size_t>(PQgetlength(result, r, c)));
    return rows;
  }

  void pipeline(const std::string& sql, std::span<const Row> parameters,
                std::vector<std::vector<Row>>& results) {
    if (PQenterPipelineMode(connection_) != 1) fail();
    for (const Row& row : parameters) {
      const std::vector<const char*> values = pointers(row);
      if (PQsendQueryParams(connection_, sql.c_str(), static_cast<int>(values.size()), nullptr, values.data(),
                            nullptr, nullptr, 0) != 1)
        fail();
    }
    if (PQpipelineSync(connection_) != 1) fail();
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      const Result result(PQgetResult(connection_));
      results.push_back(rows_of(result.get()));
      Result(PQgetResult(connection_));  // the end of this query
    }
    Result(PQgetResult(connection_));  // the sync
    if (PQexitPipelineMode(connection_) != 1) fail();
  }

  std::vector<std::string> secrets_;
  std::string what_;
  PGconn* connection_ = nullptr;
};

}  // namespace

std::unique_ptr<Database> open_postgres(const std::string& url, const std::string& what) {
  return std::make_unique<Postgres>(url, what);
}

}  // namespace hyperllm::database
