// The ledger of every question asked: content-addressed, so that nothing is paid for twice.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace hyperllm::database {
class Database;
}

namespace hyperllm::llm {

enum class CallState { kPending, kDone, kDead };

// A question as the store knows it. `key` is the hash of all that decides the answer: model, prompt version,
// parameters and input.
struct CallId {
  std::string key;
  std::string kind;     // "item", "user", "embed"
  std::string subject;  // external id; tells people what the call was about, decides nothing
};

// One reply or failure, and what it makes of the call.
struct Attempt {
  std::string key;
  std::string outcome;  // "ok", "invalid", "http", "timeout", "connection", "malformed"
  int status = 0;       // HTTP status, 0 if there was none
  std::string problem;  // why it is not "ok"
  std::string reply;    // as received
  std::string mended;   // what was put right without asking again
  std::int64_t prompt_tokens = 0;
  std::int64_t completion_tokens = 0;
  double cost = 0;
  double seconds = 0;
  CallState state = CallState::kPending;  // the call's state after this attempt
};

struct CallRecord {
  CallState state = CallState::kPending;
  std::string reply;  // the accepted one; "" unless done
  std::string problem;
};

// What a worker may do with a call.
enum class Claim {
  kMine,    // ask it
  kDone,    // answered already
  kDead,    // given up already
  kTheirs,  // another worker is at it
};

struct Claimed {
  Claim claim = Claim::kMine;
  std::int64_t attempts = 0;  // attempts already made in this round (attempts() tells them)
};

struct KindReport {
  std::string kind;
  std::int64_t calls = 0, done = 0, first_try = 0, after_repair = 0, dead = 0, pending = 0, mended = 0;
  std::int64_t attempts = 0, prompt_tokens = 0, completion_tokens = 0;
  double cost = 0, seconds = 0;
};

struct Failure {
  std::string kind, subject, problem;
};

// A kind of failure, how many attempts had it, and what one of them said.
struct Reason {
  std::string kind;
  std::int64_t count = 0;
  std::string example;
};

struct StoreReport {
  std::vector<KindReport> kinds;
  std::vector<Reason> problems;  // of failed attempts, most frequent first; an attempt may have several
  std::vector<std::pair<std::string, std::int64_t>> mended;
  std::vector<Failure> dead;  // at most `most` of them
};

class CallStore {
 public:
  // `where`: a file (SQLite), or postgresql://... when several machines work together. Throws kIo,
  // kUnavailable.
  static std::unique_ptr<CallStore> open(const std::string& where);
  // To read only, also while another process works on it. Throws kIo if there is none.
  static std::unique_ptr<CallStore> open_to_read(const std::string& where);
  explicit CallStore(std::unique_ptr<database::Database> database, bool to_read = false);
  ~CallStore();

  // Registers unknown calls and takes those that nobody works on, all in one transaction. A worker that died
  // loses its claims with its connection.
  std::vector<Claimed> claim(std::span<const CallId> calls);
  // Writes attempts and the states they lead to, in one transaction.
  void record(std::span<const Attempt> attempts);
  // The attempts of the present round, oldest first: what a resumed repair goes on from.
  std::vector<Attempt> attempts(const std::string& key);
  // In the order of `keys`; nullopt for calls that the store does not know.
  std::vector<std::optional<CallRecord>> find(std::span<const std::string> keys);
  // Dead calls may be tried again, from the first attempt. Returns how many.
  std::int64_t reopen_dead();

  StoreReport report(std::int64_t most = 20);
  // Tokens and cost over all attempts ever recorded.
  struct Spent {
    std::int64_t prompt_tokens = 0, completion_tokens = 0;
    double cost = 0;
  };
  Spent spent();

  // Small facts that outlive a run, such as the dialect that a server speaks.
  std::string fact(const std::string& name);
  void set_fact(const std::string& name, const std::string& value);

 private:
  void make_tables();
  void check_version();
  void register_worker();
  std::unique_ptr<database::Database> database_;
  std::string worker_ = "0";
};

// True for the address of a server, which several machines may share; false for a file.
bool is_server_store(const std::string& where);

}  // namespace hyperllm::llm
