// Asks a language model many questions: claims them in the store, keeps N in flight, paces, retries, has
// wrong answers repaired, and records everything.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "hyperllm/base/progress.h"
#include "hyperllm/llm/call_store.h"
#include "hyperllm/llm/chat.h"
#include "hyperllm/llm/pacing.h"

namespace hyperllm::llm {

// One question.
struct Ask {
  CallId id;
  std::vector<Message> messages;  // a chat's; an embedding's text is the only message
  double prompt_tokens = 0;       // estimated
};

// What went before on this question.
struct History {
  int wrong = 0;           // answers that were no good
  std::string last_reply;  // the last of them, and what was wrong with it
  std::string last_problem;
};

struct Judged {
  bool valid = false;
  std::string reply;    // what to keep
  std::string problem;  // unless valid
  std::string mended;
};

struct Answered {
  std::vector<Judged> judged;      // one an ask, in order
  std::int64_t prompt_tokens = 0;  // believable ones (read_values.h)
  std::int64_t completion_tokens = 0;
};

// A set of questions of one kind. Called from one thread.
class Job {
 public:
  virtual ~Job() = default;
  // The next question, made when it is needed; nullopt at the end.
  virtual std::optional<Ask> next() = 0;
  virtual void rewind() = 0;
  virtual std::int64_t size() const = 0;
  // How many questions travel in one request.
  virtual std::size_t pack() const { return 1; }
  virtual net::HttpRequest request(std::span<const Ask> asks, const History& history) = 0;
  // Reads a 200 reply. Throws kInvalidData if it is not what such a server sends.
  virtual Answered read(std::span<const Ask> asks, std::string_view body) = 0;
  // Tokens that one answer may have at most.
  virtual double completion_tokens() const = 0;
};

struct RunnerOptions {
  std::string task = "llm";  // what progress is called
  PaceLimits pace;
  Budget budget;
  Price price;
  int wrong_answers = 3;      // ask, repair, ask again; then a dead letter
  int tries = 8;              // of one request against a failing server
  double backoff_base = 0.5;  // seconds
  double poll_others = 1.0;   // seconds between looks at calls that other workers have
  double silence = 3;         // seconds of waiting that need no word
};

// A run ends when so many questions became dead letters, or three times as many answers were of no use,
// before the first valid answer (of this run, or known from before): what comes next would only cost more.
inline constexpr std::int64_t kHopeless = 20;

struct RunTotals {
  std::int64_t known = 0;  // answered or dead before this run
  std::int64_t done = 0, dead = 0;
  std::int64_t requests = 0;
  std::int64_t prompt_tokens = 0, completion_tokens = 0;
  double cost = 0, seconds = 0;
  bool budget_reached = false;  // some calls have not been made
};

// Makes every call of the job that the store has no answer to. A request of several questions that is refused
// or fails for good is asked question by question, so that the innocent are answered. Throws kUnavailable if
// the server refuses the key or the model, gives kHopeless useless answers and none else, or stops answering
// for as long as one request may be tried; kInterrupted if the user asked to stop. Whatever happens, what was
// answered is in the store.
RunTotals run_job(Job& job, CallStore& store, const RunnerOptions& options, const Context& context);

// What run_job would do: calls not yet answered and their estimated prompt tokens. Writes nothing.
struct Forecast {
  std::int64_t calls = 0, known = 0;
  double prompt_tokens = 0;
};
Forecast forecast_job(Job& job, CallStore* store, const Context& context);

}  // namespace hyperllm::llm
