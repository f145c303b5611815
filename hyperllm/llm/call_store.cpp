#include "hyperllm/llm/call_store.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>

#include "hyperllm/base/error.h"
#include "hyperllm/database/database.h"
#include "hyperllm/llm/reasons.h"
#include "hyperllm/llm/unicode.h"
#include "hyperllm/net/secrets.h"

namespace hyperllm::llm {
namespace {

using database::Access;
using database::Transaction;
using Row = database::Database::Row;

// Advisory locks of this namespace: (kLockSpace, worker number) is held as long as that worker lives,
// (kLockSpace, 0) while a worker claims.
constexpr std::string_view kLockSpace = "1215456833";
constexpr std::string_view kVersion = "1";

std::int64_t integer(const std::string& text) {
  std::int64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

double real(const std::string& text) {
  double value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

std::string text_of(double value) {
  char buffer[40];
  return {buffer, std::to_chars(buffer, buffer + sizeof buffer, value).ptr};
}

CallState state_of(const std::string& text) {
  if (text == "done") return CallState::kDone;
  return text == "dead" ? CallState::kDead : CallState::kPending;
}

std::string name_of(CallState state) {
  if (state == CallState::kDone) return "done";
  return state == CallState::kDead ? "dead" : "pending";
}

bool on_a_server(const std::string& where) {
  const bool server = where.starts_with("postgresql://") || where.starts_with("postgres://");
  HYPERLLM_CHECK(
      server || !is_server_store(where), ErrorCode::kInvalidArgument,
      "option 'store': '" + net::shown_url(where) + "': expected a file, or postgresql://user@host/database");
  return server;
}

std::unique_ptr<database::Database> open_database(const std::string& where, Access access) {
  static const std::string kName = "call store";
  if (on_a_server(where)) return database::open_postgres(where, kName);
  auto opened = database::open_sqlite(where, access,
                                      {kName, "Name another file with --store",
                                       "Wait for it, or share the work through a postgresql:// store."});
  if (access == Access::kRead)
    HYPERLLM_CHECK(!opened->run("SELECT 1 FROM sqlite_master WHERE name = 'facts'").empty(), ErrorCode::kIo,
                   where + ": holds no call store; nothing has been asked yet");
  return opened;
}

// Sums of counts are made in floating point: a store of before may hold counts that no integer sum holds.
std::int64_t count(const std::string& text) {
  return static_cast<std::int64_t>(std::clamp(real(text), -9e18, 9e18));
}

std::string now() {
  const auto time = std::chrono::system_clock::now().time_since_epoch();
  return std::to_string(std::chrono::duration_cast<std::chrono::seconds>(time).count());
}

}  // namespace

bool is_server_store(const std::string& where) { return where.find("://") != std::string::npos; }

std::unique_ptr<CallStore> CallStore::open(const std::string& where) {
  return std::make_unique<CallStore>(open_database(where, Access::kAlone));
}

std::unique_ptr<CallStore> CallStore::open_to_read(const std::string& where) {
  return std::make_unique<CallStore>(open_database(where, Access::kRead), true);
}

CallStore::CallStore(std::unique_ptr<database::Database> database, bool to_read)
    : database_(std::move(database)) {
  if (!to_read || database_->on_server()) make_tables();  // a database without them is a store that is empty
  check_version();
  if (database_->on_server() && !to_read) register_worker();
}

CallStore::~CallStore() = default;

void CallStore::make_tables() {
  Transaction transaction(*database_);
  // IF NOT EXISTS alone does not keep two workers that start at once from both making a table or sequence.
  if (database_->on_server())
    database_->run("SELECT pg_advisory_xact_lock(" + std::string(kLockSpace) + ", 0)");
  database_->run("CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL)");
  database_->run(
      "CREATE TABLE IF NOT EXISTS calls (key TEXT PRIMARY KEY, kind TEXT NOT NULL, subject TEXT NOT NULL, "
      "state TEXT NOT NULL DEFAULT 'pending', worker BIGINT NOT NULL DEFAULT 0, attempts BIGINT NOT NULL "
      "DEFAULT 0, "
      "round_start BIGINT NOT NULL DEFAULT 0, reply TEXT NOT NULL DEFAULT '', mended TEXT NOT NULL DEFAULT "
      "'', "
      "problem TEXT NOT NULL DEFAULT '')");
  database_->run(
      "CREATE TABLE IF NOT EXISTS attempts (key TEXT NOT NULL, number BIGINT NOT NULL, outcome TEXT NOT "
      "NULL, "
      "status BIGINT NOT NULL, problem TEXT NOT NULL, reply TEXT NOT NULL, prompt_tokens BIGINT NOT NULL, "
      "completion_tokens BIGINT NOT NULL, cost DOUBLE PRECISION NOT NULL, seconds DOUBLE PRECISION NOT NULL, "
      "at BIGINT NOT NULL, PRIMARY KEY (key, number))");
  if (database_->on_server()) database_->run("CREATE SEQUENCE IF NOT EXISTS workers AS INTEGER CYCLE");
  database_->run("INSERT INTO facts VALUES ('version', $1) ON CONFLICT DO NOTHING",
                 std::array{std::string(kVersion)});
  transaction.commit();
}

void CallStore::check_version() {
  const std::string version = fact("version");
  HYPERLLM_CHECK(version == kVersion, ErrorCode::kInvalidData,
                 "call store: written in format " + version + "; this program reads format " +
                     std::string(kVersion) + ". Use another store, or the program that wrote it.");
}

void CallStore::register_worker() {
  worker_ = database_->run("SELECT nextval('workers')")[0][0];
  database_->run("SELECT pg_advisory_lock(" + std::string(kLockSpace) + ", " + worker_ + ")");
}

std::vector<Claimed> CallStore::claim(std::span<const CallId> calls) {
  std::vector<Row> names, keys;
  for (const CallId& call : calls) {
    names.push_back({call.key, call.kind, valid_utf8(call.subject), worker_});
    keys.push_back({call.key, worker_});
  }
  Transaction transaction(*database_);
  // Claims follow one another, so that two workers cannot both find a call without a living owner.
  if (database_->on_server())
    database_->run("SELECT pg_advisory_xact_lock(" + std::string(kLockSpace) + ", 0)");
  database_->run_many(
      "INSERT INTO calls (key, kind, subject, worker) VALUES ($1, $2, $3, CAST($4 AS BIGINT)) "
      "ON CONFLICT (key) DO NOTHING",
      names);
  if (database_->on_server())
    database_->run_many(
        "UPDATE calls SET worker = CAST($2 AS BIGINT) WHERE key = $1 AND state = 'pending' AND worker NOT IN "
        "(SELECT objid FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 2 AND objid <> 0 AND classid "
        "= " +
            std::string(kLockSpace) +
            " AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))",
        keys);
  std::vector<Row> only_keys;
  for (const CallId& call : calls) only_keys.push_back({call.key});
  const auto rows = database_->run_many(
      "SELECT state, worker, attempts - round_start FROM calls WHERE key = $1", only_keys);
  transaction.commit();
  std::vector<Claimed> claims;
  for (const auto& found : rows) {
    const Row& row = found.at(0);
    const CallState state = state_of(row[0]);
    Claimed claimed{Claim::kMine, integer(row[2])};
    if (state == CallState::kDone) claimed.claim = Claim::kDone;
    if (state == CallState::kDead) claimed.claim = Claim::kDead;
    if (state == CallState::kPending && database_->on_server() && row[1] != worker_)
      claimed.claim = Claim::kTheirs;
    claims.push_back(claimed);
  }
  return claims;
}

void CallStore::record(std::span<const Attempt> attempts) {
  if (attempts.empty()) return;
  std::vector<Row> histories, states;
  for (const Attempt& a : attempts) {
    // An accepted reply is kept with its call, the others with their attempts.
    const bool accepted = a.state == CallState::kDone;
    histories.push_back({a.key, a.outcome, std::to_string(a.status), valid_utf8(a.problem),
                         accepted ? "" : valid_utf8(a.reply), std::to_string(a.prompt_tokens),
                         std::to_string(a.completion_tokens), text_of(a.cost), text_of(a.seconds), now()});
    states.push_back({a.key, name_of(a.state), accepted ? valid_utf8(a.reply) : "", valid_utf8(a.mended),
                      accepted ? "" : valid_utf8(a.problem)});
  }
  Transaction transaction(*database_);
  database_->run_many(
      "INSERT INTO attempts (key, number, outcome, status, problem, reply, prompt_tokens, completion_tokens, "
      "cost, "
      "seconds, at) SELECT CAST($1 AS TEXT), coalesce(max(number), 0) + 1, $2, CAST($3 AS BIGINT), $4, $5, "
      "CAST($6 AS BIGINT), CAST($7 AS BIGINT), CAST($8 AS DOUBLE PRECISION), CAST($9 AS DOUBLE PRECISION), "
      "CAST($10 AS BIGINT) FROM attempts WHERE key = $1",
      histories);
  database_->run_many(
      "UPDATE calls SET state = $2, reply = $3, mended = $4, problem = $5, attempts = attempts + 1 WHERE key "
      "= $1",
      states);
  transaction.commit();
}

std::vector<Attempt> CallStore::attempts(const std::string& key) {
  const auto rows = database_->run(
      "SELECT a.outcome, a.status, a.problem, a.reply FROM attempts a JOIN calls c ON c.key = a.key "
      "WHERE a.key = $1 AND a.number > c.round_start ORDER BY a.number",
      std::array{key});
  std::vector<Attempt> found;
  for (const Row& row : rows) {
    Attempt attempt;
    attempt.key = key;
    attempt.outcome = row[0];
    attempt.status = static_cast<int>(integer(row[1]));
    attempt.problem = row[2];
    attempt.reply = row[3];
    found.push_back(std::move(attempt));
  }
  return found;
}

std::vector<std::optional<CallRecord>> CallStore::find(std::span<const std::string> keys) {
  std::vector<Row> parameters;
  for (const std::string& key : keys) parameters.push_back({key});
  std::vector<std::optional<CallRecord>> records;
  for (const auto& rows :
       database_->run_many("SELECT state, reply, problem FROM calls WHERE key = $1", parameters)) {
    records.emplace_back();
    if (!rows.empty()) records.back() = CallRecord{state_of(rows[0][0]), rows[0][1], rows[0][2]};
  }
  return records;
}

std::int64_t CallStore::reopen_dead() {
  return static_cast<std::int64_t>(
      database_
          ->run(
              "UPDATE calls SET state = 'pending', round_start = attempts WHERE state = 'dead' RETURNING key")
          .size());
}

StoreReport CallStore::report(std::int64_t most) {
  StoreReport report;
  for (const Row& row : database_->run(
           "SELECT c.kind, count(*), sum(CASE WHEN state = 'done' THEN 1 ELSE 0 END), "
           "sum(CASE WHEN state = 'done' AND coalesce(a.invalid, 0) = 0 THEN 1 ELSE 0 END), "
           "sum(CASE WHEN state = 'done' AND coalesce(a.invalid, 0) > 0 THEN 1 ELSE 0 END), "
           "sum(CASE WHEN state = 'dead' THEN 1 ELSE 0 END), sum(CASE WHEN state = 'pending' THEN 1 ELSE 0 "
           "END), "
           "sum(CASE WHEN state = 'done' AND mended <> '' THEN 1 ELSE 0 END), sum(attempts), "
           "sum(coalesce(a.asked, 0.0)), sum(coalesce(a.written, 0.0)), sum(coalesce(a.cost, 0)), "
           "sum(coalesce(a.seconds, 0)) FROM calls c LEFT JOIN (SELECT key, "
           "sum(CASE WHEN outcome = 'invalid' THEN 1 ELSE 0 END) AS invalid, sum(CAST(prompt_tokens AS "
           "DOUBLE PRECISION)) AS asked, sum(CAST(completion_tokens AS DOUBLE PRECISION)) AS written, "
           "sum(cost) AS cost, sum(seconds) AS seconds FROM attempts "
           "GROUP BY key) a "
           "ON a.key = c.key GROUP BY c.kind ORDER BY c.kind")) {
    report.kinds.push_back({row[0], integer(row[1]), integer(row[2]), integer(row[3]), integer(row[4]),
                            integer(row[5]), integer(row[6]), integer(row[7]), integer(row[8]), count(row[9]),
                            count(row[10]), real(row[11]), real(row[12])});
  }
  ReasonCounter reasons;
  for (const Row& row :
       database_->run("SELECT outcome, status, problem, count(*) FROM attempts WHERE outcome "
                      "<> 'ok' GROUP BY outcome, status, problem ORDER BY problem"))
    reasons.add(row[0], static_cast<int>(integer(row[1])), row[2], integer(row[3]));
  report.problems = reasons.most_frequent(most);
  for (const Row& row :
       database_->run("SELECT mended, count(*) FROM calls WHERE mended <> '' AND state = 'done' GROUP BY "
                      "mended ORDER BY count(*) DESC, mended LIMIT CAST($1 AS BIGINT)",
                      std::array{std::to_string(most)}))
    report.mended.emplace_back(row[0], integer(row[1]));
  for (const Row& row :
       database_->run("SELECT kind, subject, problem FROM calls WHERE state = 'dead' ORDER BY kind, subject "
                      "LIMIT CAST($1 AS BIGINT)",
                      std::array{std::to_string(most)}))
    report.dead.push_back({row[0], row[1], row[2]});
  return report;
}

CallStore::Spent CallStore::spent() {
  const Row row = database_->run(
      "SELECT coalesce(sum(CAST(prompt_tokens AS DOUBLE PRECISION)), 0), coalesce(sum(CAST(completion_tokens "
      "AS "
      "DOUBLE PRECISION)), 0), coalesce(sum(cost), 0) FROM attempts")[0];
  return {count(row[0]), count(row[1]), real(row[2])};
}

std::string CallStore::fact(const std::string& name) {
  const auto rows = database_->run("SELECT value FROM facts WHERE name = $1", std::array{name});
  return rows.empty() ? "" : rows[0][0];
}

void CallStore::set_fact(const std::string& name, const std::string& value) {
  database_->run("INSERT INTO facts VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = $2",
                 std::array{name, value});
}

}  // namespace hyperllm::llm
