// When to send the next request: limits that the user sets, limits that the server tells, and backing off.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "hyperllm/base/random.h"
#include "hyperllm/net/http.h"

namespace hyperllm::llm {

// Seconds in a rate-limit duration such as "12ms", "1s", "6m0s", "1h2m3.5s" or a bare number of seconds; -1
// if it is none of these.
double parse_duration(std::string_view text);

// Seconds that a reply asks us to wait: retry-after-ms, retry-after in seconds or as an HTTP date; -1 if it
// does not say or says nonsense.
double retry_after(const net::HttpReply& reply, double unix_now);

struct PaceLimits {
  std::int64_t concurrency = 32;
  double requests_per_minute = 0;  // 0: no limit
  double tokens_per_minute = 0;
};

// All times are seconds on one steady clock, passed in, so that tests need not wait.
class Pacer {
 public:
  explicit Pacer(const PaceLimits& limits)
      : limits_(limits), allowed_(static_cast<double>(limits.concurrency)) {}

  bool may_send(double now, int in_flight, double tokens);
  // Seconds after which may_send is worth asking again, if nothing comes back meanwhile.
  double wait(double now) const;
  void sent(double now, double tokens);
  // Learns from x-ratelimit-{remaining,reset}-{requests,tokens}. Values below 0, or 0 without a reset, as
  // some gateways send, count as unknown.
  void learn(const net::HttpReply& reply, double now);
  // The server is overloaded: halves the requests in flight, and stops all sending for `seconds` if it asked.
  void overloaded(double now, double seconds);
  // Lets the number in flight grow again, by one for each full round of successes.
  void succeeded();
  double allowed() const { return allowed_; }

 private:
  struct Told {  // what the server said is left until a time
    double left = 0, until = -1;
    bool known(double now) const { return now < until; }
  };
  struct Bucket {  // tokens that flow in at a steady rate
    double level = 0, at = 0;
    bool started = false;
  };
  static double fill(const Bucket& bucket, double rate, double now);
  static void take(Bucket& bucket, double rate, double now, double amount);

  PaceLimits limits_;
  double allowed_;
  double paused_until_ = 0, last_cut_ = -1;
  Told requests_, tokens_;
  Bucket request_bucket_, token_bucket_;
};

// Delay before try number `failures` + 1: half a second, doubled each time, at most 30 s, times a random
// factor in [0.5, 1]; `base` scales it. A server's own wish up to two minutes comes first.
double backoff(int failures, double asked, double base, Random& random);

// Ceilings on one run; 0 means none.
struct Budget {
  double tokens = 0;
  double cost = 0;
  double minutes = 0;

  // From "tokens=2M", "cost=5", "minutes=30" (k and M are understood). Throws kInvalidArgument.
  static Budget parse(const std::vector<std::string>& terms);
  std::string text() const;
};

// Price of a million tokens.
struct Price {
  double input = 0;
  double output = 0;
  double of(double prompt_tokens, double completion_tokens) const {
    return (prompt_tokens * input + completion_tokens * output) / 1e6;
  }
};

}  // namespace hyperllm::llm
